import { DiskMissing, ManifestCorrupt } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import type { Manifest } from './manifest.ts'
import type { CopySet } from './transfer-targets.ts'
import { repairManifest } from './verify-disk.ts'

/** The copies that ought to hold a disk: every zone, or the stamps that were chosen for it. */
export function holdersOf(set: CopySet, root: string): readonly FolderStore[] {
  return set.spread === 'every' ? set.folders : set.folders.filter((folder) => folder.hasDisk(root))
}

/** The manifest from the first copy that is whole; damaged or absent ones are made again from it. */
export async function openAnyManifest(set: CopySet, root: string): Promise<Manifest> {
  let failure: unknown = new DiskMissing(root)
  const damaged: FolderStore[] = []
  for (const folder of set.folders) {
    try {
      const manifest = await folder.openDisk(root)
      for (const bad of damaged) await repairManifest(bad, manifest, set.logger)
      return manifest
    } catch (error) {
      if (error instanceof ManifestCorrupt) damaged.push(folder)
      if (!(error instanceof DiskMissing) || failure instanceof DiskMissing) failure = error
    }
  }
  throw failure
}
