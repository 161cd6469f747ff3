import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { regionDirectory } from '../base/region.ts'
import type { Region } from '../base/region.ts'
import { checkTargetRegions } from './target-regions.ts'
import type { TargetRegionFacts } from './target-regions.ts'

function region(name: string, displayName: string, zones: number): Region {
  return {
    name,
    displayName,
    zones: Array.from({ length: zones }, (_, i) => String(i + 1)),
    pairedRegion: undefined,
    geographyGroup: 'Europe',
    stampFolders: ['/a'],
    zoneFolders: [],
  }
}
const regions = regionDirectory([region('westeurope', 'West Europe', 3), region('westus', 'West US', 0)])
const west = { name: 'West Europe', regionalReplicaCount: 1, storageAccountType: 'Standard_LRS' }
const us = { name: 'West US', regionalReplicaCount: 2, storageAccountType: 'Standard_LRS' }
const good: TargetRegionFacts = {
  targets: [us, west],
  before: [],
  location: 'westeurope',
  replicaCount: 1,
  maximumReplicas: 100,
  allowsRemoval: undefined,
}
const refused: readonly { why: string; facts: Partial<TargetRegionFacts>; code: string; says: RegExp }[] = [
  {
    why: 'duplicates in different spellings',
    facts: { targets: [west, { ...west, name: 'westeurope' }] },
    code: 'InvalidParameter',
    says: /Duplicate regions are not allowed in target publishing regions/,
  },
  {
    why: 'a region the server does not have',
    facts: { targets: [west, { name: 'Mars North' }] },
    code: 'InvalidParameter',
    says: /'Mars North' is not known.*westeurope, westus/,
  },
  {
    why: 'the location is not among the targets',
    facts: { targets: [us] },
    code: 'InvalidParameter',
    says: /regions 'West US' must contain the location of image version 'westeurope'/,
  },
  {
    why: 'a count of zero',
    facts: { targets: [{ ...west, regionalReplicaCount: 0 }] },
    code: 'InvalidParameter',
    says: /The value 0 of parameter .*regionalReplicaCount is out of range.*between 1 and 100, inclusive/,
  },
  {
    why: 'a global count above the configured limit',
    facts: { replicaCount: 11, maximumReplicas: 10 },
    code: 'InvalidParameter',
    says: /replicaCount is out of range.*between 1 and 10/,
  },
  {
    why: 'ZRS without zones',
    facts: { targets: [west, { ...us, storageAccountType: 'Standard_ZRS' }] },
    code: 'InvalidParameter',
    says: /ZRS storage account type is not supported in this region/,
  },
  {
    why: 'another class for an existing region',
    facts: { before: [west], targets: [{ ...west, storageAccountType: 'Premium_LRS' }] },
    code: 'PropertyChangeNotAllowed',
    says: /Please specify 'Standard_LRS' as the storage account type for this region/,
  },
  {
    why: 'a removed region under a safety profile that forbids it',
    facts: { before: [west, us], targets: [west], allowsRemoval: false },
    code: 'OperationNotAllowed',
    says: /Removing the replicated region\(s\) 'West US' is not allowed/,
  },
]
for (const { why, facts, code, says } of refused)
  test(`target regions are refused: ${why}`, () => {
    assert.throws(
      () => checkTargetRegions({ ...good, ...facts }, regions),
      (error) => error instanceof Problem && error.code === code && says.test(error.message),
    )
  })

for (const allowsRemoval of [true, undefined])
  test(`target regions: a region may go where the safety profile says ${allowsRemoval}`, () => {
    assert.doesNotThrow(() =>
      checkTargetRegions({ ...good, before: [west, us], targets: [west], allowsRemoval }, regions),
    )
  })
