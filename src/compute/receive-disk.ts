import type { DiskStore, ImageFile } from '../store/disk-store.ts'
import { inVault, plainClassOf, vaultOf } from '../store/vault.ts'
import type { StepContext } from '../work/workflow.ts'
import type { HeldDisk } from './capture-disk.ts'
import type { ComputeDependencies } from './dependencies.ts'
import type { StoredBytes } from './disk-facts.ts'

/** How bytes come into a store; they stay there until they are let go of. */

type Step = Pick<StepContext<never>, 'signal' | 'report'>

/** One store takes a disk over from another, by the frames that it lacks. */
export async function receiveInto(
  store: DiskStore,
  from: Pick<StoredBytes, 'region' | 'storageClass' | 'root'>,
  step: Step,
  deps: Pick<ComputeDependencies, 'stores'>,
): Promise<HeldDisk> {
  const source = deps.stores.store(from.region, from.storageClass)
  const { root, virtualSizeBytes, pin, progress } = await store.receive(source, from.root, {
    signal: step.signal,
    onProgress: (now) => step.report({ ...now }),
  })
  const { region, storageClass } = store
  const bytes = { region, storageClass, root, virtualSizeBytes }
  return { lun: 'os', bytes, bytesRead: progress.bytesRead, [Symbol.dispose]: () => pin[Symbol.dispose]() }
}

/** Reads a file into a store; the bytes stay there until they are let go of. */
export async function takeFileInto(store: DiskStore, file: ImageFile, step: Step): Promise<HeldDisk> {
  const { root, virtualSizeBytes, pin, progress } = await store.ingest(file, {
    signal: step.signal,
    onProgress: (now) => step.report({ ...now }),
  })
  const { region, storageClass } = store
  return {
    lun: 'os',
    bytes: { region, storageClass, root, virtualSizeBytes },
    bytesRead: progress.bytesRead,
    [Symbol.dispose]: () => pin[Symbol.dispose](),
  }
}

/** The same bytes in the vault that they are to rest in; what lies elsewhere crosses, encrypted on arrival. */
export async function keepInVault(
  held: HeldDisk,
  vault: string | undefined,
  step: Step,
  deps: Pick<ComputeDependencies, 'stores'>,
): Promise<HeldDisk> {
  const { region, storageClass } = held.bytes
  if (vault === undefined || vaultOf(storageClass) === vault) return { ...held, [Symbol.dispose]() {} }
  const store = deps.stores.store(region, inVault(plainClassOf(storageClass), vault))
  return { ...(await receiveInto(store, held.bytes, step, deps)), lun: held.lun }
}
