import { readFile } from 'node:fs/promises'
import { systemClock } from '../../base/clock.ts'
import { silentLogger, type Logger } from '../../base/logger.ts'
import { qemuProvider } from './qemu-provider.ts'

/** QEMU as these tests run it: the machine's own, with machines in a folder of the test. */
export function testProvider(machinesFolder: string, { logger = silentLogger, qemu = 'qemu-system-x86_64' } = {}) {
  return qemuProvider({
    qemu,
    searchPath: '/usr/bin:/bin',
    accelerator: 'auto',
    network: 'none',
    machinesFolder,
    clock: systemClock,
    logger: logger satisfies Logger,
  })
}

/** Waits until a guest has written a text to its serial log; answers the log. */
export async function serialShows(path: string, text: string, seconds = 120): Promise<string> {
  for (let round = 0; ; round++) {
    const log = await readFile(path, 'latin1').catch(() => '(no log)')
    if (log.includes(text)) return log
    if (round > seconds * 10) throw new Error(`no '${text}' within ${seconds} s:\n${log}`)
    await systemClock.sleep(100)
  }
}
