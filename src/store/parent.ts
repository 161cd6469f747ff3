import type { FolderStore } from './folder-store.ts'
import { sameBytes } from './frame-name.ts'
import { createLeafReader } from './leaf-pages.ts'
import type { Manifest } from './manifest.ts'

/** The parent's manifest in the first folder that can give it. A missing or damaged parent only costs look-ups. */
export async function findParent(folders: readonly FolderStore[], parentRoot: string | undefined): Promise<OpenParent> {
  if (parentRoot !== undefined)
    for (const folder of folders) {
      if (!folder.hasDisk(parentRoot)) continue
      const manifest = await folder.openDisk(parentRoot).catch(() => undefined)
      if (manifest) return { manifest, [Symbol.asyncDispose]: () => manifest.close() }
    }
  return { manifest: undefined, async [Symbol.asyncDispose]() {} }
}

export interface OpenParent extends AsyncDisposable {
  readonly manifest: Manifest | undefined
}

export interface ParentComparison {
  /** For each leaf, whether the parent has the same at the same place. */
  compare(leaves: readonly { readonly frame: number; readonly name: Uint8Array }[]): Promise<boolean[]>
}

export function openParent({ manifest }: OpenParent): ParentComparison {
  if (!manifest) return { compare: (leaves) => Promise.resolve(leaves.map(() => false)) }
  // Batches come a little out of order: some pages (8 KiB each) are kept.
  const leafOf = createLeafReader(manifest, 16)
  return {
    async compare(leaves) {
      const same: boolean[] = []
      for (const { frame, name } of leaves) {
        const parentLeaf = await leafOf(frame).catch(() => undefined)
        same.push(parentLeaf !== undefined && sameBytes(parentLeaf, name))
      }
      return same
    },
  }
}
