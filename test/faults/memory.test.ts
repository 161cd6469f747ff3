import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { convertImage } from '../support/disks.ts'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { createDefinition, lrs, publish, putBlob, uploadDisk, versionBody } from '../support/publishing.ts'
import { writeNoise } from './noise.fixture.ts'

const MiB = 1 << 20
const GiB = 1024 * MiB
const TiB = 1024 * GiB
/** `GOLDLEAF_MEMORY_DATA_MIB=1024` for the figure of the record; the suite makes do with less. */
const dataMiB = Number(process.env['GOLDLEAF_MEMORY_DATA_MIB'] ?? 128)
const limitMiB = 512

/** The most memory a process ever had, in MiB: proc(5). */
async function peakMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  // A process that has just ended is listed still, without its memory.
  assert.ok(peak, `process ${pid} has no memory any more`)
  return Number(peak) / 1024
}

async function push(server: RunningGoldleaf, file: string, version: string): Promise<number> {
  const command = join(import.meta.dirname, '../../bin/goldleaf.ts')
  const where = ['--gallery', 'large', '--definition', 'large', '--version', version, '-g', 'large']
  const args = ['--data', server.data, 'image', 'push', file, ...where, '--regions', 'westeurope,eastus']
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  let peak = 0
  const sampling = setInterval(() => {
    peakMiB(child.pid).then(
      (now) => (peak = Math.max(peak, now)),
      () => {},
    )
  }, 100)
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 0, said)
  } finally {
    clearInterval(sampling)
  }
  return peak
}

/** Memory follows what is worked on at a time, not the size of the disk: a disk of 1 TiB with data all over it. */
suite('memory', { timeout: 600_000 }, () => {
  test(`a disk of 1 TiB with ${dataMiB} MiB of data spread over it stays under ${limitMiB} MiB`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-memory-'))
    await using server = await startGoldleaf({ data: join(folder, 'data') })
    try {
      const definition = await createDefinition(server, 'large')
      const spread = { pieceBytes: MiB, everyBytes: Math.floor(TiB / dataMiB / MiB) * MiB }
      const raw = await writeNoise(join(folder, 'large.raw'), TiB, 7, spread)
      const note = async (what: string): Promise<void> => {
        const peak = await peakMiB(server.process.pid)
        t.diagnostic(`${what}: the server's peak is ${peak.toFixed(0)} MiB`)
        assert.ok(peak < limitMiB, `${what}: ${peak} MiB`)
      }
      await note('at the start')
      const client = await push(server, raw, '1.0.0')
      t.diagnostic(`the client's peak is ${client.toFixed(0)} MiB`)
      assert.ok(client > 0 && client < limitMiB, `the client took ${client} MiB`)
      await note('raw, pushed')
      const vhd = join(folder, 'large.vhd')
      await convertImage(raw, vhd, 'vpc', ['-o', 'subformat=dynamic,force_size=on'])
      await rm(raw)
      const uri = await putBlob(server, 'large.vhd', vhd)
      await note('dynamic VHD, sent to the blob area')
      await publish(server, `${definition}/versions/1.0.1`, versionBody({ uri }, lrs('northeurope', 'eastus')))
      await note('dynamic VHD, published from a blob')
      const id = await uploadDisk(server, 'largedisk', vhd)
      await publish(server, `${definition}/versions/1.0.2`, versionBody({ id }, lrs('westeurope', 'northeurope')))
      await note('dynamic VHD, uploaded as a disk and published')
    } finally {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
