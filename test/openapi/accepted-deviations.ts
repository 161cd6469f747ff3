/** Where we knowingly take or answer other than the schema says, each with the reason. */
export const acceptedDeviations: readonly { readonly text: RegExp; readonly why: string }[] = [
  {
    text: / request: \/properties\/(osType|storageProfile\/.*hostCaching) must (be equal to one of|match a schema)/,
    why: 'enum values may come in any case (CLIENTS.md: clients send standard_zrs); answers are canonical',
  },
  {
    text: /GalleryImageVersions_\w+ \((2018-06-01|2019-03-01)\) .*publishingProfile must have required property 'source'/,
    why: 'a version of younger api-versions may have a source that these have no words for, and a PUT may leave it out',
  },
  {
    text: / request: .*must NOT have additional properties| request: \/type must be equal/,
    why: 'members that are unknown or ours to write are ignored, as Azure does; test/attacks sends them on purpose',
  },
  {
    text: /GalleryImageVersions_Update .* request: \/properties must have required property 'storageProfile'/,
    why: 'clients send PATCH with what changes only (CLIENTS.md: az sends no source at all)',
  },
  {
    text: / request: .*endOfLifeDate must match format "date-time"/,
    why: 'clients send plain dates (CLIENTS.md: 2030-01-01); answers are whole',
  },
  {
    text: /CommunityGaller\w+ .*disclaimer must be object/,
    why: 'Azure’s own examples show the text; the definition of that name is its wrapper',
  },
  {
    text: /Galleries_\w+ \(20(20-09-30|21-07-01|21-10-01)\) .*permissions must be equal to one of the allowed values/,
    why: 'az shares with the community in 2021-10-01 (behaviour.md R4); a public gallery is public in older ones too',
  },
  {
    text: /galleries\/images .* must NOT have additional properties 'latest'/,
    why: 'our extension, shown with $expand=Latest only (docs/compatibility.md)',
  },
  {
    text: /replicationStatus\/summary\/\* must NOT have additional properties 'transfers'/,
    why: 'our extension, shown with $expand=ReplicationStatus,Transfers only (docs/compatibility.md)',
  },
]
