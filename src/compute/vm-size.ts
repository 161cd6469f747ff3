import type { ComputeLimits } from './dependencies.ts'

export interface VmSize {
  readonly cpus: number
  readonly memoryMiB: number
}

/** A size as Azure's catalogue has it. */
export interface KnownVmSize extends VmSize {
  readonly name: string
  readonly family: string
  readonly maximumDataDisks: number
  readonly hasPremiumDisks: boolean
}

const size = (
  name: string,
  cpus: number,
  memoryMiB: number,
  maximumDataDisks: number,
  family: string,
  hasPremiumDisks: boolean,
): KnownVmSize => ({ name, cpus, memoryMiB, maximumDataDisks, family, hasPremiumDisks })

/** The sizes that `vmSizes` and `skus` list; a machine may have any other of Azure's too, see planVmSize. */
export const knownVmSizes: readonly KnownVmSize[] = [
  size('Standard_A1_v2', 1, 2_048, 2, 'standardAv2Family', false),
  size('Standard_A2_v2', 2, 4_096, 4, 'standardAv2Family', false),
  size('Standard_B1ls', 1, 512, 2, 'standardBSFamily', true),
  size('Standard_B1s', 1, 1_024, 2, 'standardBSFamily', true),
  size('Standard_B1ms', 1, 2_048, 2, 'standardBSFamily', true),
  size('Standard_B2s', 2, 4_096, 4, 'standardBSFamily', true),
  size('Standard_B2ms', 2, 8_192, 4, 'standardBSFamily', true),
  size('Standard_B4ms', 4, 16_384, 8, 'standardBSFamily', true),
  size('Standard_D1_v2', 1, 3_584, 4, 'standardDv2Family', false),
  size('Standard_D2_v2', 2, 7_168, 8, 'standardDv2Family', false),
  size('Standard_DS1_v2', 1, 3_584, 4, 'standardDSv2Family', true),
  size('Standard_DS2_v2', 2, 7_168, 8, 'standardDSv2Family', true),
  size('Standard_D2s_v3', 2, 8_192, 4, 'standardDSv3Family', true),
  size('Standard_D4s_v3', 4, 16_384, 8, 'standardDSv3Family', true),
  size('Standard_D2s_v5', 2, 8_192, 4, 'standardDSv5Family', true),
  size('Standard_D4s_v5', 4, 16_384, 8, 'standardDSv5Family', true),
  size('Standard_D8s_v5', 8, 32_768, 16, 'standardDSv5Family', true),
  size('Standard_E2s_v5', 2, 16_384, 4, 'standardESv5Family', true),
  size('Standard_F2s_v2', 2, 4_096, 4, 'standardFSv2Family', true),
]

const byName = new Map(knownVmSizes.map((known) => [known.name.toLowerCase(), known]))

/**
 * What a size promises. An unknown name is taken at its number, as Azure's names go (`Standard_D64s_v5`: 64
 * processors), with 4 GiB each.
 */
export function findVmSize(name: string | undefined): VmSize {
  const known = byName.get((name ?? '').toLowerCase())
  if (known) return known
  const digits = /^(?:standard|basic)_[a-z]+(\d+)/i.exec(name ?? '')?.[1]
  const cpus = Math.max(Number(digits ?? 1), 1)
  return { cpus, memoryMiB: cpus * 4_096 }
}

/** What a machine of an Azure size gets here: never more than the limits. */
export function planVmSize(name: string | undefined, limits: ComputeLimits): VmSize {
  const { cpus, memoryMiB } = findVmSize(name)
  return {
    cpus: Math.min(cpus, limits.maximumCpus),
    memoryMiB: Math.min(memoryMiB, limits.maximumMemoryMiB),
  }
}
