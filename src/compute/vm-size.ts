import type { ComputeLimits } from './dependencies.ts'

export interface VmSize {
  readonly cpus: number
  readonly memoryMiB: number
}

/** The sizes that tests and small machines are made of; others are read from their name. */
const sizes: Readonly<Record<string, VmSize>> = {
  standard_b1ls: { cpus: 1, memoryMiB: 512 },
  standard_b1s: { cpus: 1, memoryMiB: 1024 },
  standard_b1ms: { cpus: 1, memoryMiB: 2048 },
  standard_b2s: { cpus: 2, memoryMiB: 4096 },
  standard_a1_v2: { cpus: 1, memoryMiB: 2048 },
  standard_d1_v2: { cpus: 1, memoryMiB: 3584 },
  standard_ds1_v2: { cpus: 1, memoryMiB: 3584 },
  standard_d2_v2: { cpus: 2, memoryMiB: 7168 },
  standard_ds2_v2: { cpus: 2, memoryMiB: 7168 },
}

/**
 * What a machine of an Azure size gets here: never more than the limits. An unknown name is taken at its number, as
 * Azure's names go (`Standard_D4s_v5`: 4 processors), with 4 GiB each.
 */
export function planVmSize(name: string | undefined, limits: ComputeLimits): VmSize {
  const digits = /^(?:standard|basic)_[a-z]+(\d+)/i.exec(name ?? '')?.[1]
  const guess = Number(digits ?? 1)
  const size = sizes[(name ?? '').toLowerCase()] ?? { cpus: Math.max(guess, 1), memoryMiB: Math.max(guess, 1) * 4096 }
  return {
    cpus: Math.min(size.cpus, limits.maximumCpus),
    memoryMiB: Math.min(size.memoryMiB, limits.maximumMemoryMiB),
  }
}
