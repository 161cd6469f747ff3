/** Where we knowingly take or answer other than the schema says, each with the reason. */
export const acceptedDeviations: readonly { readonly text: RegExp; readonly why: string }[] = [
  {
    text: / request: \/properties\/(osType|storageProfile\/.*hostCaching) must (be equal to one of|match a schema)/,
    why: 'enum values may come in any case (CLIENTS.md: clients send standard_zrs); answers are canonical',
  },
  {
    text: /replicationStatus\/summary\/\* must NOT have additional properties 'transfers'/,
    why: 'our extension, shown with $expand=ReplicationStatus,Transfers only (docs/compatibility.md)',
  },
]
