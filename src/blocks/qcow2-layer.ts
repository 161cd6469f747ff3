import { readQcow2Header } from './qcow2-header.ts'
import { openQcow2Tables } from './qcow2-tables.ts'
import { openHostFile } from './host-file.ts'
import { blockProblems } from './problems.ts'

/** A run of guest bytes that a layer decides: what lies under it does not show there. */
export interface LayerRun {
  readonly offset: number
  readonly length: number
  /** `zero`: the guest discarded or zeroed it, and there is nothing to read. */
  readonly kind: 'data' | 'zero'
}

export interface Qcow2Layer extends AsyncDisposable {
  readonly virtualSizeBytes: number
  readonly clusterSizeBytes: number
  /** Ascending, not overlapping, on whole clusters but for the disk's end. Reads tables, never data. */
  runs(signal?: AbortSignal): AsyncIterable<LayerRun>
}

/**
 * Opens a qcow2 of ours as a copy-on-write layer, to learn what it changed: an image tells only data from zeros, a layer
 * also what it does not decide. Throws a Problem where it is damaged or names another file.
 */
export async function openQcow2Layer(path: string, maxVirtualSizeBytes: number): Promise<Qcow2Layer> {
  const file = await openHostFile(path)
  try {
    const { virtualSizeBytes, clusterSizeBytes, ...header } = await readQcow2Header(file, (sizeBytes) => {
      const { name } = file
      if (sizeBytes > maxVirtualSizeBytes)
        throw blockProblems.ImageTooLarge({ name, sizeBytes, limitBytes: maxVirtualSizeBytes })
    })
    const tables = await openQcow2Tables(file, { ...header, virtualSizeBytes, clusterSizeBytes })
    return {
      virtualSizeBytes,
      clusterSizeBytes,
      async *runs(signal) {
        let run: LayerRun | undefined
        for await (const batch of tables.setClusters(signal))
          for (const { index, cluster } of batch) {
            const offset = index * clusterSizeBytes
            const length = Math.min(clusterSizeBytes, virtualSizeBytes - offset)
            const kind = cluster.kind === 'zero' ? 'zero' : 'data'
            if (run?.kind === kind && run.offset + run.length === offset) run = { ...run, length: run.length + length }
            else {
              if (run) yield run
              run = { offset, length, kind }
            }
          }
        if (run) yield run
      },
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
