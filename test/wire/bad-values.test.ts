import { suite } from 'node:test'
import { invalid, useTargets } from './refusals.ts'
import { definitionBody, diskVersion } from './wire.ts'
import type { Body, Json, Refusal, Wire } from './wire.ts'

const version = 'galleryImageVersion.properties.publishingProfile'
const storage = 'galleryImageVersion.properties.storageProfile'
const duplicateRegions = 'Duplicate regions are not allowed in target publishing regions.'
const assetName = (name: string, length: number): string =>
  `Asset name galleryImage.properties.identifier.${name} is not valid. It cannot be empty. Allowed characters are uppercase or lowercase letters, digits, hyphen(-), period (.), underscore (_). Names are not allowed to end with period(.). The length of the name cannot exceed ${length} characters.`

/** What Azure answers to bad values (behaviour.md A1, A2), to the letter; every case proves that nothing changed. */
suite('bad values on the wire', () => {
  let wire: Wire
  let uri = ''
  const { table, gallery, definition, versionAt, newVersion } = useTargets((made) => {
    ;({ wire, uri } = made)
  })
  const here = { location: 'westeurope' }
  const changed = (properties: Body): Body => ({ ...here, properties })

  const immutable = (path: string, property: string, body: unknown, method = 'PUT'): Refusal => ({
    method,
    path,
    body,
    status: 409,
    code: 'PropertyChangeNotAllowed',
    says: `Changing property '${property}' is not allowed.`,
    target: property,
  })
  const otherDefinition = (properties: Body): Body =>
    definitionBody('d', { eula: 'yes', features: [{ name: 'DiskControllerTypes', value: 'SCSI' }], ...properties })
  const definitionChanges: readonly (readonly [string, Body])[] = [
    ['osType', { osType: 'Windows' }],
    ['osState', { osState: 'Generalized' }],
    ['hyperVGeneration', { hyperVGeneration: 'V2' }],
    ['eula', { eula: 'no' }],
    ['privacyStatementUri', { privacyStatementUri: 'https://x' }],
    ['architecture', { architecture: 'Arm64' }],
    ['identifier.publisher', { identifier: { publisher: 'else', offer: 'wire', sku: 'd' } }],
    ['identifier.sku', { identifier: { publisher: 'goldleaf', offer: 'wire', sku: 'else' } }],
    ['purchasePlan.name', { purchasePlan: { name: 'p' } }],
    ['features', { features: [{ name: 'DiskControllerTypes', value: 'SCSI, NVMe' }] }],
  ]
  table('immutable changes', [
    ...definitionChanges.flatMap(([name, properties]) =>
      ['PUT', 'PATCH'].map(
        (method) =>
          [
            `definition ${name} by ${method}`,
            () => immutable(definition('d'), `galleryImage.properties.${name}`, otherDefinition(properties), method),
          ] as const,
      ),
    ),
    [
      'the source of a version',
      () =>
        immutable(
          versionAt('1.0.0'),
          `${storage}.source.id`,
          changed({
            storageProfile: { source: { id: wire.id('galleries/g/images/d/versions/0.9.0') } },
            publishingProfile: { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] },
          }),
        ),
    ],
    [
      'the blob of a version',
      () =>
        immutable(
          versionAt('1.0.0'),
          `${storage}.osDiskImage.source.uri`,
          { properties: { storageProfile: { osDiskImage: { source: { uri: `${uri}x` } } } } },
          'PATCH',
        ),
    ],
    [
      'the replication mode',
      () =>
        immutable(
          versionAt('1.0.0'),
          `${version}.replicationMode`,
          { properties: { publishingProfile: { replicationMode: 'Shallow' } } },
          'PATCH',
        ),
    ],
    [
      'a data disk more',
      () => ({
        ...invalid(
          versionAt('1.0.0'),
          'Adding new Data Disks or changing the LUN of a Data Disk in an existing Image is not allowed.',
          { properties: { storageProfile: { dataDiskImages: [{ lun: 0, source: { uri } }] } } },
        ),
        method: 'PATCH',
      }),
    ],
    [
      'the storage class of an existing region',
      () => ({
        method: 'PATCH',
        path: versionAt('1.0.0'),
        body: {
          properties: {
            publishingProfile: {
              targetRegions: [{ name: 'westeurope' }, { name: 'eastus', storageAccountType: 'Premium_LRS' }],
            },
          },
        },
        status: 409,
        code: 'PropertyChangeNotAllowed',
        says: "Global storage account type does not match the storage account type in the existing TargetRegion: 'East US'. Please specify 'Standard_LRS' as the storage account type for this region.",
      }),
    ],
    [
      'the same, by a class for all regions',
      () => ({
        why: '',
        path: versionAt('1.0.0'),
        body: changed({
          publishingProfile: {
            storageAccountType: 'Premium_LRS',
            targetRegions: [{ name: 'westeurope', storageAccountType: 'Standard_LRS' }, { name: 'eastus' }],
          },
        }),
        status: 409,
        code: 'PropertyChangeNotAllowed',
        says: "Global storage account type does not match the storage account type in the existing TargetRegion: 'East US'. Please specify 'Standard_LRS' as the storage account type for this region.",
        target: `${version}.targetRegions.storageAccountType`,
      }),
    ],
    [
      'the location of a gallery',
      () => ({
        path: gallery('g'),
        body: { location: 'eastus' },
        status: 409,
        code: 'InvalidResourceLocation',
        says: "The resource 'g' already exists in location 'westeurope' in resource group 'wire'. A resource with the same name cannot be created in location 'eastus'. Please select a new resource name.",
      }),
    ],
    ...(['PUT', 'PATCH'] as const).map(
      (method) =>
        [
          `the sharing of a private gallery by ${method}`,
          () =>
            immutable(
              gallery('g'),
              'gallery.properties.sharingProfile.permissions',
              changed({
                sharingProfile: { permissions: 'Community', communityGalleryInfo: { publicNamePrefix: 'prefix' } },
              }),
              method,
            ),
        ] as const,
    ),
    [
      'the size of a disk downwards',
      () => ({
        ...invalid(wire.at('disks/d', diskVersion), /4 GB/, { properties: { diskSizeGB: 1 } }),
        method: 'PATCH',
      }),
    ],
  ])

  const counts = (value: Json): Body => ({ targetRegions: [{ name: 'westeurope', regionalReplicaCount: value }] })
  const outOfRange = (value: number, path: string): string =>
    `The value ${value} of parameter ${path} is out of range. The value must be between 1 and 100, inclusive.`
  const regional = `${version}.targetRegions.regionalReplicaCount`
  table('regions and counts', [
    [
      'the source region is not a target',
      () =>
        invalid(
          versionAt('2.0.0'),
          "Gallery image version publishing profile regions 'North Europe' must contain the location of image version 'westeurope'.",
          newVersion({ targetRegions: [{ name: 'North Europe' }] }),
        ),
    ],
    [
      'the source region taken away',
      () => ({
        ...invalid(
          versionAt('1.0.0'),
          "Gallery image version publishing profile regions 'East US' must contain the location of image version 'westeurope'.",
          {
            properties: {
              publishingProfile: { targetRegions: [{ name: 'eastus' }] },
              safetyProfile: { allowDeletionOfReplicatedLocations: true },
            },
          },
        ),
        method: 'PATCH',
      }),
    ],
    [
      'a region twice, spelt differently',
      () =>
        invalid(
          versionAt('2.0.0'),
          duplicateRegions,
          newVersion({ targetRegions: [{ name: 'westeurope' }, { name: 'West Europe' }] }),
          `${version}.targetRegions`,
        ),
    ],
    [
      'an unknown region',
      () =>
        invalid(
          versionAt('2.0.0'),
          /'Mars Central'.*'West Europe, North Europe, East US'/,
          newVersion({ targetRegions: [{ name: 'westeurope' }, { name: 'Mars Central' }] }),
          `${version}.targetRegions.name`,
        ),
    ],
    [
      'a location that does not exist',
      () => ({
        path: gallery('mars'),
        body: { location: 'Mars Central' },
        status: 400,
        code: 'LocationNotAvailableForResourceType',
        says: "The provided location 'Mars Central' is not available for resource type 'Microsoft.Compute/galleries'. List of available regions for the resource type is 'westeurope,northeurope,eastus'.",
      }),
    ],
    [
      'no location',
      () => ({
        path: gallery('mars'),
        body: {},
        status: 400,
        code: 'LocationRequired',
        says: 'The location property is required for this definition.',
      }),
    ],
    ...[0, -1, 101, 2_147_483_647].map(
      (value) =>
        [
          `regional count ${value}`,
          () => invalid(versionAt('2.0.0'), outOfRange(value, regional), newVersion(counts(value)), regional),
        ] as const,
    ),
    [
      'global count 0',
      () => invalid(versionAt('2.0.0'), outOfRange(0, `${version}.replicaCount`), newVersion({ replicaCount: 0 })),
    ],
    [
      'a count that is no number',
      () =>
        invalid(
          versionAt('2.0.0'),
          /Could not convert string to integer: many\. Path 'properties\.publishingProfile\.targetRegions\[0\]\.regionalReplicaCount'/,
          newVersion(counts('many')),
        ),
    ],
    [
      'an unknown storage class',
      () =>
        invalid(
          versionAt('2.0.0'),
          /^The value 'Gold_LRS' of parameter '.*storageAccountType' is not one of the allowed values 'Standard_LRS, Standard_ZRS, Premium_LRS, PremiumV2_LRS'/,
          newVersion({ targetRegions: [{ name: 'westeurope', storageAccountType: 'Gold_LRS' }] }),
        ),
    ],
  ])

  table('values', [
    ...(['publisher', 'offer', 'sku'] as const).flatMap((name) =>
      ['', 'ends.', 'a b', 'x'.repeat(129)].map(
        (value) =>
          [
            `${name} '${value.slice(0, 8)}'`,
            () =>
              invalid(
                definition('new'),
                assetName(name, name === 'publisher' ? 128 : 64),
                definitionBody('new', { identifier: { publisher: 'p', offer: 'o', sku: 's', [name]: value } }),
              ),
          ] as const,
      ),
    ),
    [
      'an identifier that another definition has',
      () => ({
        path: definition('twin'),
        body: definitionBody('D'),
        status: 409,
        code: 'Conflict',
        says: 'Gallery image: d identified by (publisher:goldleaf, offer:wire, sku:D) already exists. Choose a different publisher, offer, sku combination.',
      }),
    ],
    [
      'no osType',
      () =>
        invalid(
          definition('new'),
          "Required parameter 'galleryImage.properties.osType' is missing (null).",
          definitionBody('new', { osType: undefined }),
        ),
    ],
    [
      'no properties',
      () => invalid(definition('new'), "Required parameter 'galleryImage.properties' is missing (null).", here),
    ],
    [
      'an unknown osState',
      () =>
        invalid(
          definition('new'),
          /'Special'.*'Generalized, Specialized'/,
          definitionBody('new', { osState: 'Special' }),
        ),
    ],
    [
      'a minimum above its maximum',
      () =>
        invalid(
          definition('new'),
          'The minimum value of galleryImage.properties.recommended.vCPUs must not be greater than the maximum value of galleryImage.properties.recommended.vCPUs.',
          definitionBody('new', { recommended: { vCPUs: { min: 8, max: 2 } } }),
        ),
    ],
    [
      'an end of life that has passed',
      () =>
        invalid(
          definition('new'),
          'EndOfLifeDate must be set to a future date.',
          definitionBody('new', { endOfLifeDate: '2020-01-01' }),
        ),
    ],
    [
      'the same for a version',
      () =>
        invalid(
          versionAt('2.0.0'),
          'EndOfLifeDate must be set to a future date.',
          newVersion({ endOfLifeDate: '2020-01-01T00:00:00Z' }),
        ),
    ],
    [
      'a date that is none',
      () =>
        invalid(
          definition('new'),
          "Could not convert string to DateTimeOffset: next year. Path 'properties.endOfLifeDate'",
          definitionBody('new', { endOfLifeDate: 'next year' }),
        ),
    ],
    [
      'tags that are no texts',
      () => ({
        path: gallery('new'),
        body: { ...here, tags: ['a'] },
        status: 400,
        code: 'InvalidRequestContent',
        says: /tags/,
      }),
    ],
    [
      'a tag that is there twice, in another case',
      () => ({
        path: gallery('new'),
        body: { ...here, tags: { Team: 'a', team: 'b' } },
        status: 400,
        code: 'InvalidRequestContent',
        says: /The tag 'team' is there more than once/,
      }),
    ],
    [
      'reserved characters in the name of a tag',
      () => ({
        path: gallery('new'),
        body: { ...here, tags: { 'a/b': '', 'hidden-link:/subscriptions/s': 'Resource', 'c?': '/' } },
        status: 400,
        code: 'InvalidTagNameCharacters',
        says: "The tag names 'a/b,c?' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
      }),
    ],
  ])
})
