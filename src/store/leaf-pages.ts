import type { LeafPage } from './disk-store.ts'
import { leavesPerPage, pageBytes } from './disk-tree.ts'
import type { Manifest } from './manifest.ts'
import { isZeroName, nameAt, nameBytes, zeroName } from './frame-name.ts'

export interface Leaf {
  /** Number of the frame. */
  readonly frame: number
  readonly name: Uint8Array
}

/** A page's frames that hold data. */
export function leavesOf(page: LeafPage): Leaf[] {
  const leaves: Leaf[] = []
  for (let leaf = 0; leaf < leavesPerPage; leaf += 1) {
    const name = nameAt(page.leaves, leaf)
    if (!isZeroName(name)) leaves.push({ frame: page.index * leavesPerPage + leaf, name })
  }
  return leaves
}

/** Gathers leaves that come in ascending order into pages; one page in memory. */
export function createPageGatherer(emit: (page: LeafPage) => Promise<void>) {
  let index = -1
  let leaves: Uint8Array = new Uint8Array(pageBytes)
  let isEmpty = true
  const flush = async (): Promise<void> => {
    const page = { index, leaves }
    const wasEmpty = isEmpty
    leaves = new Uint8Array(pageBytes)
    isEmpty = true
    if (!wasEmpty) await emit(page)
  }
  return {
    async put(frame: number, name: Uint8Array): Promise<void> {
      if (isZeroName(name)) return
      const page = Math.floor(frame / leavesPerPage)
      if (page !== index) {
        await flush()
        index = page
      }
      leaves.set(name, (frame % leavesPerPage) * nameBytes)
      isEmpty = false
    },
    finish: flush,
  }
}

/** Leaves of a disk by frame number, with the last pages kept; for readers that move forward. */
export function createLeafReader(manifest: Manifest, keep = 8) {
  const pages = new Map<number, Promise<Uint8Array | undefined>>()
  return async (frame: number): Promise<Uint8Array> => {
    const index = Math.floor(frame / leavesPerPage)
    let page = pages.get(index)
    if (!page) {
      page = manifest.page(index)
      pages.set(index, page)
      page.catch(() => pages.delete(index))
      const oldest = pages.keys().next().value
      if (pages.size > keep && oldest !== undefined) pages.delete(oldest)
    }
    const leaves = await page
    return leaves ? nameAt(leaves, frame % leavesPerPage) : zeroName
  }
}
