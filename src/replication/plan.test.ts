import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planReplication } from './plan.ts'
import type { HeldCopy, WantedCopy } from './plan.ts'

const west: HeldCopy = { region: 'westeurope', storageClass: 'Standard_LRS', root: 'r' }
const north: WantedCopy = { region: 'northeurope', storageClass: 'Standard_LRS' }
const east: WantedCopy = { region: 'eastus', storageClass: 'Premium_LRS' }

const cases: readonly { why: string; wanted: WantedCopy[]; held: HeldCopy[]; plan: [string, string][] }[] = [
  {
    why: 'each lacking region once, from home',
    wanted: [west, north, east],
    held: [west],
    plan: [
      ['northeurope', 'westeurope'],
      ['eastus', 'westeurope'],
    ],
  },
  { why: 'nothing to do where all is there', wanted: [west], held: [west], plan: [] },
  { why: 'nothing can be planned before the first copy', wanted: [west, north], held: [], plan: [] },
  {
    why: 'another region serves when home has lost it',
    wanted: [west, east],
    held: [{ ...north, root: 'r' }],
    plan: [
      ['westeurope', 'northeurope'],
      ['eastus', 'northeurope'],
    ],
  },
  {
    why: 'a second class and an edge zone wait for the first copy of their region',
    wanted: [west, north, { ...north, storageClass: 'Premium_LRS' }, { ...north, region: 'northeurope/cork' }],
    held: [west],
    plan: [['northeurope', 'westeurope']],
  },
  {
    why: 'and take it from there',
    wanted: [west, north, { ...north, storageClass: 'Premium_LRS' }, { ...north, region: 'northeurope/cork' }],
    held: [west, { ...north, root: 'r' }],
    plan: [
      ['northeurope', 'northeurope'],
      ['northeurope/cork', 'northeurope'],
    ],
  },
  {
    why: 'an edge zone whose region wants no copy takes it from home',
    wanted: [west, { ...north, region: 'northeurope/cork' }],
    held: [west],
    plan: [['northeurope/cork', 'westeurope']],
  },
]
for (const { why, wanted, held, plan } of cases)
  test(`replication plan: ${why}`, () => {
    const made = planReplication(wanted, held, 'westeurope').map((t) => [t.to.region, t.from.region])
    assert.deepEqual(made, plan)
  })
