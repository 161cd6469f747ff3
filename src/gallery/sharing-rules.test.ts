import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import type { GalleryProperties, SharingUpdate } from '../contract/galleries.ts'
import {
  checkSharingProfile,
  contentProblem,
  granteesOf,
  planSharing,
  showSharingStatus,
  stillSharedTo,
  withPublicName,
} from './sharing-rules.ts'

const limits = { sharedSubscriptions: 2, sharedTenants: 1 }
const id = (digit: number): string => `${digit}`.repeat(8) + '-0000-0000-0000-000000000000'
const groups = (subscriptions: readonly string[], tenants: readonly string[] = []) => [
  ...(subscriptions.length > 0 ? [{ type: 'Subscriptions' as const, ids: [...subscriptions] }] : []),
  ...(tenants.length > 0 ? [{ type: 'AADTenants' as const, ids: [...tenants] }] : []),
]
const info = { publisherUri: 'https://p', publisherContact: 'p@p', eula: 'https://e', publicNamePrefix: 'pub' }
const gallery: Record<string, GalleryProperties> = {
  none: {},
  private: { sharingProfile: { permissions: 'Private' } },
  empty: { sharingProfile: { permissions: 'Groups' } },
  groups: { sharingProfile: { permissions: 'Groups', groups: groups([id(1)], [id(9)]) } },
  closed: {
    sharingProfile: {
      permissions: 'Community',
      communityGalleryInfo: { ...info, publicNames: ['pub-1'], communityGalleryEnabled: false },
    },
  },
  open: {
    sharingProfile: {
      permissions: 'Community',
      communityGalleryInfo: { ...info, publicNames: ['Pub-1'], communityGalleryEnabled: true },
    },
  },
  formerly: {
    sharingProfile: {
      permissions: 'Private',
      communityGalleryInfo: { ...info, publicNames: ['pub-1'], communityGalleryEnabled: false },
    },
  },
}
const of = (name: string): GalleryProperties => gallery[name] ?? assert.fail(name)
const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
  return ''
}

suite('POST share', () => {
  const granted: readonly [why: string, from: string, update: SharingUpdate, grantees: readonly string[]][] = [
    ['adds', 'empty', { operationType: 'Add', groups: groups([id(1)]) }, [`subscription:${id(1)}`]],
    [
      'adds to what is there, once each, in any case',
      'groups',
      { operationType: 'Add', groups: groups([id(1), 'AAAAAAAA-0000-0000-0000-000000000000']) },
      [`subscription:${id(1)}`, 'subscription:aaaaaaaa-0000-0000-0000-000000000000', `tenant:${id(9)}`],
    ],
    ['removes', 'groups', { operationType: 'Remove', groups: groups([id(1)]) }, [`tenant:${id(9)}`]],
    [
      'removes what is not there',
      'groups',
      { operationType: 'Remove', groups: groups([id(2)]) },
      [`subscription:${id(1)}`, `tenant:${id(9)}`],
    ],
    ['takes all back', 'groups', { operationType: 'Reset' }, []],
    ['opens for the community', 'closed', { operationType: 'EnableCommunity', groups: [] }, ['community:pub-1']],
    ['closes for the community', 'open', { operationType: 'Reset' }, []],
    ['resets what is private', 'private', { operationType: 'Reset' }, []],
  ]
  for (const [why, from, update, grantees] of granted)
    test(why, () => {
      const sharingProfile = planSharing({ name: 'g', properties: of(from) }, update, limits)
      assert.deepEqual(granteesOf({ sharingProfile }), grantees)
    })

  const refused: readonly [why: string, from: string, update: SharingUpdate, code: string][] = [
    ['a private gallery', 'none', { operationType: 'Add', groups: groups([id(1)]) }, 'OperationNotAllowed'],
    ['a community gallery', 'closed', { operationType: 'Add', groups: groups([id(1)]) }, 'OperationNotAllowed'],
    ['groups to the community', 'groups', { operationType: 'EnableCommunity' }, 'OperationNotAllowed'],
    ['nothing', 'groups', { operationType: 'Add' }, 'InvalidParameter'],
    ['an empty group', 'groups', { operationType: 'Remove', groups: [{ type: 'Subscriptions' }] }, 'InvalidParameter'],
    ['no GUID', 'groups', { operationType: 'Add', groups: groups(['mine']) }, 'InvalidParameter'],
    ['Reset of some', 'groups', { operationType: 'Reset', groups: groups([id(1)]) }, 'InvalidParameter'],
    [
      'more subscriptions than allowed',
      'groups',
      { operationType: 'Add', groups: groups([id(2), id(3)]) },
      'OperationNotAllowed',
    ],
    [
      'more tenants than allowed',
      'groups',
      { operationType: 'Add', groups: groups([], [id(8)]) },
      'OperationNotAllowed',
    ],
  ]
  for (const [why, from, update, code] of refused)
    test(`refuses ${why}`, () =>
      assert.equal(
        codeOf(() => planSharing({ name: 'g', properties: of(from) }, update, limits)),
        code,
      ))
})

suite('what a PUT says of sharing', () => {
  const cases: readonly [why: string, before: string | undefined, after: GalleryProperties, code: string][] = [
    ['created for groups', undefined, of('empty'), ''],
    ['created for the community', undefined, of('closed'), ''],
    ['private becomes groups (recorded)', 'private', of('empty'), ''],
    ['said again', 'groups', of('groups'), ''],
    ['private becomes community', 'private', of('closed'), 'PropertyChangeNotAllowed'],
    ['what was community becomes it again', 'formerly', of('closed'), ''],
    ['groups become private', 'groups', of('private'), 'PropertyChangeNotAllowed'],
    ['groups become community', 'groups', of('closed'), 'PropertyChangeNotAllowed'],
    [
      'community without a word of who',
      undefined,
      { sharingProfile: { permissions: 'Community' } },
      'InvalidParameter',
    ],
    [
      'a prefix that is no name',
      undefined,
      { sharingProfile: { permissions: 'Community', communityGalleryInfo: { ...info, publicNamePrefix: 'a/b' } } },
      'InvalidParameter',
    ],
    [
      'community words on a private gallery',
      undefined,
      { sharingProfile: { communityGalleryInfo: info } },
      'InvalidParameter',
    ],
    ['a former community gallery said again', 'formerly', of('formerly'), ''],
  ]
  for (const [why, before, after, code] of cases)
    test(why, () =>
      assert.equal(
        codeOf(() => checkSharingProfile(before === undefined ? undefined : of(before), after)),
        code,
      ),
    )

  test('a community gallery gets its public name once', () => {
    const before = { sharingProfile: { permissions: 'Community' as const, communityGalleryInfo: info } }
    const named = withPublicName(before, () => 'uuid')
    assert.deepEqual((named as GalleryProperties).sharingProfile?.communityGalleryInfo?.publicNames, ['pub-uuid'])
    assert.equal(
      withPublicName(named, () => 'other'),
      named,
    )
  })
})

test('a gallery goes only when it is not shared', () => {
  const shared = Object.keys(gallery).filter((name) => stillSharedTo(of(name)) !== undefined)
  assert.deepEqual(shared, ['empty', 'groups', 'open'])
})

test('what is shared (or recycled) lies in the gallery’s region, unencrypted, unsold, and forces no security type', () => {
  const content = { name: 'i', location: 'westeurope' }
  interface Case {
    readonly isSoft?: boolean
    readonly permissions: 'Private' | 'Groups' | 'Community'
    readonly content: Parameters<typeof contentProblem>[1]
    readonly code: string | undefined
  }
  const cases: readonly Case[] = [
    { permissions: 'Groups', content, code: undefined },
    { permissions: 'Private', content: { ...content, location: 'eastus' }, code: undefined },
    { permissions: 'Groups', content: { ...content, location: 'eastus' }, code: 'OperationNotAllowed' },
    { permissions: 'Community', content: { ...content, isEncrypted: true }, code: 'OperationNotAllowed' },
    { permissions: 'Groups', content: { ...content, securityType: 'TrustedLaunch' }, code: 'OperationNotAllowed' },
    { permissions: 'Groups', content: { ...content, securityType: 'TrustedLaunchSupported' }, code: undefined },
    { permissions: 'Community', content: { ...content, hasPlan: true }, code: 'OperationNotAllowed' },
    { permissions: 'Groups', content: { ...content, hasPlan: true }, code: undefined },
    { isSoft: true, permissions: 'Private', content: { ...content, location: 'eastus' }, code: 'OperationNotAllowed' },
    { isSoft: true, permissions: 'Private', content, code: undefined },
  ]
  for (const { isSoft = false, permissions, ...one } of cases) {
    const softDeletePolicy = { isSoftDeleteEnabled: isSoft }
    const facts = { location: 'westeurope', properties: { sharingProfile: { permissions }, softDeletePolicy } }
    const found = contentProblem(facts, one.content)
    assert.equal(found instanceof Problem ? found.code : undefined, one.code, JSON.stringify(one))
  }
})

test('sharing status: a region is done when it has published what is wanted, no more and no less', () => {
  const regions = [
    { name: 'westeurope', displayName: 'West Europe' },
    { name: 'eastus', displayName: 'East US' },
  ]
  const state = (published: Record<string, string[]>, isWorking: boolean): unknown => {
    const byRegion = new Map(Object.entries(published).map(([region, who]) => [region, new Set(who)]))
    const shown = showSharingStatus({ wanted: ['a', 'b'], published: byRegion, regions, isWorking })
    return [shown['aggregatedState'], ...(shown['summary'] as { state: string }[]).map((line) => line.state)]
  }
  const done = ['a', 'b']
  assert.deepEqual(state({ westeurope: done, eastus: done }, false), ['Succeeded', 'Succeeded', 'Succeeded'])
  assert.deepEqual(state({ westeurope: done }, true), ['InProgress', 'Succeeded', 'InProgress'])
  assert.deepEqual(state({ westeurope: done, eastus: ['a'] }, false), ['Failed', 'Succeeded', 'Failed'])
  assert.deepEqual(state({ westeurope: ['a', 'b', 'c'], eastus: done }, true), [
    'InProgress',
    'InProgress',
    'Succeeded',
  ])
})
