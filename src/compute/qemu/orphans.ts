import { readdir, readFile } from 'node:fs/promises'
import type { Clock } from '../../base/clock.ts'

/**
 * Machines of an earlier process of this server: QEMU processes of this user whose command line names a machine of
 * ours and its serial log below `machinesFolder`. Looked for in /proc, not in pid files: those have a window between
 * the start and the writing, and numbers are used again.
 */
export async function findOrphans(machinesFolder: string): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc').catch(() => [])) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    const isOurs = words.some((word) => /^goldleaf-[0-9a-f-]{36}$/.test(word))
    const marker = `path=${machinesFolder.replaceAll(',', ',,')}/`
    if (isOurs && words.some((word) => word.startsWith('file,id=serial,') && word.includes(marker))) found.push(pid)
  }
  return found
}

/** Kills them and waits until they are gone: their overlays are locked until then. Answers how many there were. */
export async function endOrphans(machinesFolder: string, clock: Clock): Promise<number> {
  const first = await findOrphans(machinesFolder)
  for (let round = 0; round < 100; round++) {
    const left = round === 0 ? first : await findOrphans(machinesFolder)
    if (left.length === 0) return first.length
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Gone in between.
      }
    }
    await clock.sleep(50)
  }
  throw new Error('virtual machines of an earlier run cannot be ended')
}
