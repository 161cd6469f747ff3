import { access, constants, copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { randomUuid } from '../base/random.ts'
import { replaceFile, syncFolder, writeFully } from '../blocks/replace-file.ts'
import { emptyQcow2Overlay } from '../blocks/write-disk-image.ts'
import type { HypervisorProvider } from './provider.ts'
import type { VmDiskFacts, VmFacts } from './vm-facts.ts'

/** What a guest wrote to a disk, as a file. */
export interface Layer {
  readonly disk: VmDiskFacts
  readonly path: string
}

/** Where the files of machines are: a folder each, named by an id of ours. */
export function overlayFiles(machinesFolder: string) {
  const homeOf = (vmId: string): string => join(machinesFolder, checkVmId(vmId))
  const seedOf = (vmId: string): string => join(homeOf(vmId), 'seed.iso')
  const overlayOf = (vmId: string, { lun, overlay }: VmDiskFacts): string =>
    join(homeOf(vmId), `disk-${overlay ?? lun}.qcow2`)
  return {
    homeOf,
    seedOf,
    makeSeed: async (vmId: string, seed: Uint8Array | undefined): Promise<void> => {
      const path = seedOf(vmId)
      if (seed && !(await exists(path))) await replaceFile(path, (handle) => writeFully(handle, seed, 0))
    },
    overlayOf,
    makeOverlays: async (facts: VmFacts): Promise<void> => {
      await mkdir(homeOf(facts.vmId), { recursive: true, mode: 0o700 })
      for (const disk of facts.disks) {
        const path = overlayOf(facts.vmId, disk)
        // One that is there may have been written to by a guest: a creation may be tried again.
        if (!(await exists(path))) await emptyQcow2Overlay(path, disk.virtualSizeBytes)
      }
      await syncFolder(machinesFolder)
    },
    dropHome: async (vmId: string): Promise<void> => {
      await rm(homeOf(vmId), { recursive: true, force: true })
      await syncFolder(machinesFolder)
    },
    dropOverlays: async ({ vmId }: VmFacts, disks: readonly VmDiskFacts[]): Promise<void> => {
      for (const disk of disks) await rm(overlayOf(vmId, disk), { force: true })
    },
    findSerialLog: async (vmId: string): Promise<string | undefined> => {
      if (!isVmId(vmId)) return undefined
      const path = join(homeOf(vmId), 'serial.log')
      return (await exists(path)) ? path : undefined
    },
  }
}

interface Freezing {
  readonly vmId: string
  readonly layers: readonly Layer[]
  readonly home: string
  readonly provider: HypervisorProvider
  /** Whether a running machine has one of them: a disk that has left it stands still anyway. */
  readonly isLive: () => boolean
  readonly inTurn: <T>(vmId: string, work: () => Promise<T>) => Promise<T>
}

/** Lends overlays as they are at one moment: see `MachineRunner.withFrozenOverlays`. */
export async function freeze<T>(
  { vmId, layers, home, provider, isLive, inTurn }: Freezing,
  work: (layers: readonly Layer[]) => Promise<T>,
): Promise<T> {
  const copies = join(home, `frozen-${randomUuid()}`)
  const copyOf = ({ disk }: Layer): string => join(copies, `${disk.lun}.qcow2`)
  try {
    const copied = await inTurn(vmId, async (): Promise<{ readonly result: T } | undefined> => {
      if (provider.state(vmId) === 'stopped' || !isLive()) return { result: await work(layers) }
      await mkdir(copies, { mode: 0o700 })
      // Where the file system can share blocks the guest does not notice; else it waits for what it has written itself.
      await provider.whilePaused(vmId, async () => {
        for (const layer of layers) await copyFile(layer.path, copyOf(layer), constants.COPYFILE_FICLONE)
      })
      return undefined
    })
    if (copied) return copied.result
    return await work(layers.map((layer) => ({ ...layer, path: copyOf(layer) })))
  } finally {
    await rm(copies, { recursive: true, force: true })
  }
}

function isVmId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

function checkVmId(text: string): string {
  if (!isVmId(text)) throw new Error('a machine id is a uuid')
  return text
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
