import { spawnSync } from 'node:child_process'
import { open } from 'node:fs/promises'
import { dataExtents } from '../src/blocks/sparse-file.ts'
import { MiB } from '../src/base/units.ts'

const frame = 65_536

/**
 * A disk as guests have them: an ext4 file system filled with this machine's own /usr/lib and /usr/share, made without
 * root. Answers how many bytes of it are data.
 */
export async function makeDisk(path: string, sizeMiB: number): Promise<number> {
  const staging = `${path}.files`
  // Real files, up to three quarters of the disk; tar keeps to what is readable.
  const script = `set -e; mkdir -p '${staging}'; cd /usr; (find lib share bin -xdev -type f -readable -size -8M -print0 | sort -z | head -z -n 60000) | { size=0; while IFS= read -r -d '' f; do s=$(stat -c %s "$f"); size=$((size+s)); [ $size -gt ${Math.floor(sizeMiB * 0.7) * MiB} ] && break; printf '%s\\0' "$f"; done; } | tar --no-recursion --null -c -T - | tar -x -C '${staging}'; truncate -s ${sizeMiB}M '${path}'; mke2fs -q -t ext4 -F -d '${staging}' '${path}'; rm -rf '${staging}'`
  const done = spawnSync('bash', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (done.status !== 0) throw new Error('the test disk could not be made: are e2fsprogs and tar installed?')
  let bytes = 0
  for (const [, length] of await extentsOf(path)) bytes += length
  return bytes
}

async function extentsOf(path: string): Promise<[number, number][]> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const found: [number, number][] = []
  for (const extent of dataExtents(file.fd, size)) found.push([extent.offset, extent.length])
  return found
}

/** Overwrites 4 KiB in a share of the frames that hold data, spread evenly; answers how many frames. */
export async function changeDisk(path: string, share: number): Promise<number> {
  const frames = (await extentsOf(path)).flatMap(([offset, length]) => {
    const first = Math.ceil(offset / frame)
    return Array.from({ length: Math.max(0, Math.floor((offset + length) / frame) - first) }, (_, i) => first + i)
  })
  const every = Math.max(1, Math.round(1 / share))
  await using file = await open(path, 'r+')
  let changed = 0
  for (const [index, number] of frames.entries()) {
    if (index % every !== 0) continue
    const bytes = Buffer.alloc(4096)
    for (let at = 0; at < bytes.length; at += 4)
      bytes.writeUInt32LE(Math.imul(number + at + 1, 2_654_435_761) >>> 0, at)
    await file.write(bytes, 0, bytes.length, number * frame + 8192)
    changed += 1
  }
  await file.sync()
  return changed
}
