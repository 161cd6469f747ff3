import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { allPermissions } from '../contract/permissions.ts'
import { builtInRoles } from './built-in-roles.ts'
import { decide } from './decide.ts'
import { isDataAction } from './data-actions.ts'
import type { RoleAssignment } from './role.ts'
import { assignmentsAt, buildIndex } from './tenant-index.ts'
import { scopeKey } from '../base/scope.ts'

/**
 * Every operation of the contract, and those that only routes ask for, against every built-in role and place. What is
 * expected is written here by hand, row by row, from Azure's published roles and never from the patterns in
 * built-in-roles.ts: an operation without a row fails, a role without a letter too.
 */
const letters: Readonly<Record<string, string>> = {
  O: 'Owner',
  C: 'Contributor',
  R: 'Reader',
  U: 'User Access Administrator',
  B: 'Role Based Access Control Administrator',
  P: 'Compute Gallery Artifacts Publisher',
  I: 'Compute Gallery Image Reader',
  S: 'Compute Gallery Sharing Admin',
  d: 'Data Operator for Managed Disks',
  b: 'Disk Backup Reader',
  r: 'Disk Restore Operator',
  s: 'Disk Snapshot Contributor',
  V: 'Virtual Machine Contributor',
  A: 'Storage Account Contributor',
  x: 'Storage Blob Data Owner',
  y: 'Storage Blob Data Contributor',
  z: 'Storage Blob Data Reader',
  g: 'Storage Blob Delegator',
  m: 'Managed Identity Contributor',
  o: 'Managed Identity Operator',
  M: 'Monitoring Reader',
  L: 'Log Analytics Reader',
  G: 'Management Group Contributor',
  H: 'Management Group Reader',
}

/** Those who may read everything. */
const all = 'OCRUBML'
/** Those who may read what Microsoft.Authorization has: nearly every role. */
const authorization = `${all}PbrsVAmoG`

/** [operation without its verb, who may, by verb]. `+`: besides those who may read everything or, changing, Owner and Contributor. */
const rows: readonly (readonly [type: string, verbs: Readonly<Record<string, string>>])[] = [
  [
    'Microsoft.Resources/subscriptions/resourceGroups',
    {
      read: '+PbrsVAmo',
      write: '+',
      delete: '+',
      'moveResources/action': '+',
      'validateMoveResources/action': '+',
    },
  ],
  ['Microsoft.Compute/galleries', { read: '+P', write: '+P', delete: '+P', 'share/action': 'OS' }],
  ['Microsoft.Compute/galleries/images', { read: '+PI', write: '+P', delete: '+P' }],
  [
    'Microsoft.Compute/galleries/images/versions',
    { read: '+PI', write: '+P', delete: '+P', 'beginGetAccess/action': '+P', 'verify/action': '+P' },
  ],
  ['Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions', { read: '+P', delete: '+P' }],
  ...[
    'applications',
    'applications/versions',
    'scripts',
    'scripts/versions',
    'inVMAccessControlProfiles',
    'inVMAccessControlProfiles/versions',
  ].map((type) => [`Microsoft.Compute/galleries/${type}`, { read: '+P', write: '+P', delete: '+P' }] as const),
  [
    'Microsoft.Compute/disks',
    {
      read: '+brV',
      write: '+PrV',
      delete: '+V',
      'beginGetAccess/action': '+bs',
      'endGetAccess/action': '+',
      'download/action': 'd',
      'upload/action': 'd',
    },
  ],
  [
    'Microsoft.Compute/snapshots',
    { read: '+s', write: '+s', delete: '+s', 'beginGetAccess/action': '+s', 'endGetAccess/action': '+s' },
  ],
  ['Microsoft.Compute/diskEncryptionSets', { read: '+', write: '+', delete: '+' }],
  ['Microsoft.Compute/images', { read: '+P', write: '+P', delete: '+P' }],
  [
    'Microsoft.Compute/virtualMachines',
    {
      read: '+V',
      write: '+PV',
      delete: '+V',
      'start/action': '+V',
      'powerOff/action': '+V',
      'restart/action': '+V',
      'deallocate/action': '+V',
      'generalize/action': '+V',
      'instanceView/read': '+V',
      'retrieveBootDiagnosticsData/action': '+V',
      'identityAddress/action': '+V',
    },
  ],
  ['Microsoft.ManagedIdentity/userAssignedIdentities', { read: '+m', write: '+m', delete: '+m' }],
  ...['sharedGalleries', 'communityGalleries'].flatMap((type) =>
    ['', '/images', '/images/versions'].map(
      (below) => [`Microsoft.Compute/locations/${type}${below}`, { read: '+PV' }] as const,
    ),
  ),
  ...['sharedGallerySubscriptions', 'tenantLevelSharedGallerySubscriptions'].map(
    (type) =>
      [
        `Microsoft.Compute/locations/${type}/sharedGalleries`,
        { 'accept/action': '+V', 'reject/action': '+V' },
      ] as const,
  ),
  ['Microsoft.Compute/locations/capsOperations', { read: '+PV' }],
  ['Microsoft.Compute/locations/usages', { read: '+V' }],
  ['Microsoft.Compute/locations/vmSizes', { read: '+V' }],
  ['Microsoft.Compute/skus', { read: '+' }],
  ['Microsoft.Insights/eventtypes/values', { read: '+' }],
  ['Microsoft.Resources/subscriptions', { read: '+' }],
  ['Microsoft.Resources/subscriptions/locations', { read: '+' }],
  ['Microsoft.Resources/subscriptions/providers', { read: '+' }],
  ['Microsoft.Resources/subscriptions/resources', { read: '+' }],
  ...['Microsoft.Resources', 'Microsoft.Storage', 'Microsoft.ManagedIdentity'].map(
    (namespace) => [`${namespace}/locations/capsOperations`, { read: '+' }] as const,
  ),
  ['Microsoft.Compute', { 'register/action': '+', 'unregister/action': '+' }],
  ['Microsoft.Features/providers/features', { read: '+', 'register/action': '+', 'unregister/action': '+' }],
  ['Microsoft.Features/featureProviders/subscriptionFeatureRegistrations', { read: '+', write: '+', delete: '+' }],
  ['Microsoft.Subscription/aliases', { read: '+', write: '+', delete: '+' }],
  ['Microsoft.Subscription', { 'cancel/action': 'O', 'enable/action': 'O', 'rename/action': '+' }],
  ['Microsoft.Storage/checknameavailability', { read: '+' }],
  ['Microsoft.Authorization/roleAssignments', { read: authorization, write: 'OUB', delete: 'OUB' }],
  ['Microsoft.Authorization/roleDefinitions', { read: authorization, write: 'OU', delete: 'OU' }],
  ['Microsoft.Authorization/permissions', { read: authorization }],
  ['Microsoft.Authorization/denyAssignments', { read: authorization }],
  ['Microsoft.Authorization/classicAdministrators', { read: authorization }],
  ['Microsoft.Authorization/locks', { read: authorization, write: 'OU', delete: 'OU' }],
  ['Microsoft.Management/managementGroups', { read: '+GH', write: '+G', delete: '+G' }],
  ['Microsoft.Management/managementGroups/subscriptions', { read: '+GH', write: '+G', delete: '+G' }],
  [
    'Microsoft.Storage/storageAccounts',
    { read: '+sVA', write: '+sA', delete: '+sA', 'listKeys/action': '+sVA', 'regenerateKey/action': '+A' },
  ],
  ['Microsoft.Storage/storageAccounts/blobServices', { 'generateUserDelegationKey/action': '+Axyzg' }],
  ['Microsoft.Storage/storageAccounts/blobServices/containers', { read: '+Axyz', write: '+Axy', delete: '+Axy' }],
  // Bytes: who owns the account does not thereby read what is in it.
  ['Microsoft.Storage/storageAccounts/blobServices/containers/blobs', { read: 'xyz', write: 'xy', delete: 'xy' }],
  ['Goldleaf/pushes', { write: '+' }],
]

const expected = new Map<string, ReadonlySet<string>>(
  rows.flatMap(([type, verbs]) =>
    Object.entries(verbs).map(([verb, who]) => {
      const everyone = verb.endsWith('read') ? all : 'OC'
      const names = who
        .replace('+', everyone)
        .split('')
        .map((letter) => letters[letter] ?? `no role '${letter}'`)
      return [`${type}/${verb}`, new Set(names)] as const
    }),
  ),
)

const tenantId = 'aaaaaaaa-0000-4000-8000-000000000001'
const scope = '/subscriptions/s1/resourceGroups/g/providers/Microsoft.Compute/galleries/golden'
const places: readonly (readonly [place: string, at: string, holds: boolean])[] = [
  ['the same scope', scope, true],
  ['in other letters', scope.toUpperCase(), true],
  ['a child', `${scope}/images/i`, true],
  ['the parent', '/subscriptions/s1/resourceGroups/g', false],
  ['a sibling', `${scope}2`, false],
  ['another group', scope.replace('/g/', '/h/'), false],
  ['another subscription', scope.replace('/s1/', '/s2/'), false],
  ["the tenant's root", '/', false],
]

function indexOf(roleId: string, tenant: string) {
  const assignment: RoleAssignment = {
    name: 'a',
    scope,
    scopeKey: scopeKey(scope),
    principalId: 'alice',
    principalType: 'User',
    roleId,
    description: undefined,
    createdMs: 0,
    updatedMs: 0,
    createdBy: '',
    updatedBy: '',
  }
  // An index holds one tenant: what is assigned in another is never in it.
  const assignments = tenant === tenantId ? [assignment] : []
  return buildIndex({ tenantId, version: 1, assignments, customRoles: [], groups: [], groupsOfSubscriptions: [] })
}

suite('the authorization matrix', () => {
  const operations = [...new Set([...allPermissions(), ...expected.keys()])]
  test('every operation has a row, every row is of a type that is served, every role has a letter', () => {
    assert.deepEqual(
      operations.filter((operation) => !expected.has(operation)),
      [],
      'write down here who may do it',
    )
    assert.deepEqual(builtInRoles.map(({ roleName }) => roleName).toSorted(), Object.values(letters).toSorted())
  })
  for (const role of builtInRoles)
    test(role.roleName, () => {
      const wrong: string[] = []
      for (const [tenant, everywhere] of [
        [tenantId, places],
        ['another tenant', [['another tenant', scope, false] as const]],
      ] as const) {
        const index = indexOf(role.roleId, tenant)
        for (const [place, at, holds] of everywhere)
          for (const operation of operations) {
            const decision = decide({
              assignments: assignmentsAt(index, scopeKey(at)),
              roles: index.roles,
              principalIds: new Set(['alice']),
              action: operation,
              isDataAction: isDataAction(operation),
            })
            const should = holds && expected.get(operation)?.has(role.roleName) === true
            if (decision.allowed !== should)
              wrong.push(`${operation} at ${place}: ${decision.allowed ? 'allowed' : 'refused'}`)
          }
      }
      assert.deepEqual(wrong, [])
    })
})
