import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultComputeLimits } from './dependencies.ts'
import { planVmSize } from './vm-size.ts'

const wide = { ...defaultComputeLimits, maximumCpus: 64, maximumMemoryMiB: 1_000_000 }
const cases = [
  { name: 'Standard_B1s', cpus: 1, memoryMiB: 1024 },
  { name: 'standard_ds2_V2', cpus: 2, memoryMiB: 7168 },
  { name: 'Standard_D16s_v5', cpus: 16, memoryMiB: 65_536 },
  { name: 'Standard_D999999s_v5', cpus: 64, memoryMiB: 1_000_000 },
  { name: 'anything -drive file=/etc/passwd', cpus: 1, memoryMiB: 4096 },
  { name: undefined, cpus: 1, memoryMiB: 4096 },
]
for (const { name, ...size } of cases)
  test(`size ${name}: ${size.cpus} processors, ${size.memoryMiB} MiB`, () =>
    assert.deepEqual(planVmSize(name, wide), size))

test('no size gets more than the limits of this host', () => {
  assert.deepEqual(planVmSize('Standard_D16s_v5', defaultComputeLimits), { cpus: 1, memoryMiB: 256 })
})
