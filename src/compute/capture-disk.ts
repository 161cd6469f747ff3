import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { randomUuid } from '../base/random.ts'
import { emptyQcow2Overlay } from '../blocks/write-disk-image.ts'
import type { Resource } from '../resources/resource.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { StorageClass, StoredResult, TransferOptions } from '../store/disk-store.ts'
import { inVault } from '../store/vault.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { findDiskFacts, type StoredBytes } from './disk-facts.ts'
import { getBytes } from './disk-draft.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { getVmFacts, type VmDiskFacts, type VmFacts } from './vm-facts.ts'

/** A disk's content at one moment, kept from the sweep until it is disposed. */
export interface HeldDisk extends Disposable {
  readonly lun: 'os' | number
  readonly bytes: StoredBytes
  /** What the store read for it: for a machine's disk only what its guest changed. */
  readonly bytesRead: number
}

type CaptureDependencies = Pick<ComputeDependencies, 'db' | 'stores'>

/**
 * The content of a managed disk or snapshot now. One that is attached is captured from its machine: a running one gives
 * what a power cut would leave. Throws DiskNotReady, DiskSourceNotFound.
 */
export async function holdDisk(
  disk: Resource,
  deps: CaptureDependencies,
  runner: MachineRunner,
  options: TransferOptions = {},
): Promise<HeldDisk> {
  const { attached } = findDiskFacts(disk)
  if (!attached) return pinStored(getBytes(disk), deps)
  const vm = await findResource(deps.db, attached.vmKey)
  const facts = vm && getVmFacts(vm)
  const own = facts?.disks.filter(({ diskKey }) => diskKey === disk.key) ?? []
  if (!facts || own.length === 0) return pinStored(getBytes(disk), deps)
  const [held] = await holdMachineDisks({ facts, location: vm.location, disks: own }, deps, runner, options)
  if (!held) throw computeProblems.DiskSourceNotFound({ id: disk.id })
  return held
}

export interface MachineDisks {
  readonly facts: VmFacts
  readonly location: string
  readonly disks: readonly VmDiskFacts[]
}

/** Disks of one machine at one and the same moment. */
export async function holdMachineDisks(
  { facts, location, disks }: MachineDisks,
  deps: CaptureDependencies,
  runner: MachineRunner,
  options: TransferOptions = {},
): Promise<HeldDisk[]> {
  return runner.withFrozenOverlays(facts, disks, async (layers) => {
    const held: HeldDisk[] = []
    try {
      for (const { disk, path } of layers) {
        const { base, lun, vault } = disk
        const region = base?.region ?? location
        const storageClass: StorageClass = base?.storageClass ?? inVault('Standard_LRS', vault)
        const stored = await deps.stores.store(region, storageClass).capture(base?.root, path, options)
        held.push(heldOf(lun, { region, storageClass }, stored))
      }
      return held
    } catch (error) {
      for (const one of held) one[Symbol.dispose]()
      throw error
    }
  })
}

function heldOf(
  lun: 'os' | number,
  place: Pick<StoredBytes, 'region' | 'storageClass'>,
  { root, virtualSizeBytes, progress, pin }: StoredResult,
): HeldDisk {
  const bytes = { ...place, root, virtualSizeBytes }
  return { lun, bytes, bytesRead: progress.bytesRead, [Symbol.dispose]: () => pin[Symbol.dispose]() }
}

/** Opening a stored disk pins it. */
export async function pinStored(
  bytes: StoredBytes,
  { stores }: Pick<CaptureDependencies, 'stores'>,
): Promise<HeldDisk> {
  const disk = await stores.store(bytes.region, bytes.storageClass).open(bytes.root)
  const { virtualSizeBytes } = disk
  return { lun: 'os', bytes: { ...bytes, virtualSizeBytes }, bytesRead: 0, [Symbol.dispose]: () => void disk.close() }
}

/** The same disk at a larger size: zeros behind its end, and no byte of it is read. */
export async function growDisk(
  held: HeldDisk,
  sizeBytes: number,
  deps: Pick<ComputeDependencies, 'stores' | 'dataDir'>,
  options: TransferOptions = {},
): Promise<HeldDisk> {
  const { region, storageClass, root, virtualSizeBytes } = held.bytes
  if (sizeBytes <= virtualSizeBytes) return { ...held, [Symbol.dispose]() {} }
  const folder = join(deps.dataDir, 'run', 'layers')
  const path = join(folder, randomUuid())
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await emptyQcow2Overlay(path, sizeBytes)
    const stored = await deps.stores.store(region, storageClass).capture(root, path, options)
    return heldOf(held.lun, { region, storageClass }, stored)
  } finally {
    await rm(path, { force: true })
  }
}
