import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { mapLimit } from '../../src/base/map-limit.ts'
import { assertSameImage, convertImage, seededBytes, sha256OfFile, testSeed as seed } from '../support/disks.ts'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import {
  addressOf,
  cli,
  createDefinition,
  publish,
  putBlob,
  sha256OfAnswer,
  uploadDisk,
  versionBody,
} from '../support/publishing.ts'
import type { TargetRegion } from '../support/publishing.ts'
import { makeDisks, writeRaw } from './disks.fixture.ts'
import type { TestDisk } from './disks.fixture.ts'

const MiB = 1 << 20
const regions = ['westeurope', 'northeurope', 'eastus'] as const
const classes = ['Standard_LRS', 'Standard_ZRS', 'Premium_LRS'] as const

interface InputFormat {
  readonly name: string
  readonly qemu?: readonly [format: string, ...options: string[]]
  readonly extension: string
  /** A VHD's geometry and Azure's rule ask for whole MiB on the roads by which VHDs are uploaded. */
  readonly isVhd?: boolean
}

const inputs: readonly InputFormat[] = [
  { name: 'raw', extension: 'raw' },
  { name: 'fixed VHD', extension: 'vhd', qemu: ['vpc', '-o', 'subformat=fixed,force_size=on'], isVhd: true },
  { name: 'dynamic VHD', extension: 'vhd', qemu: ['vpc', '-o', 'subformat=dynamic,force_size=on'], isVhd: true },
  { name: 'qcow2 version 2', extension: 'qcow2', qemu: ['qcow2', '-o', 'compat=0.10'] },
  { name: 'qcow2 version 3', extension: 'qcow2', qemu: ['qcow2', '-o', 'compat=1.1'] },
  { name: 'qcow2 compressed with zlib', extension: 'qcow2', qemu: ['qcow2', '-c', '-o', 'compression_type=zlib'] },
  { name: 'qcow2 compressed with zstd', extension: 'qcow2', qemu: ['qcow2', '-c', '-o', 'compression_type=zstd'] },
]
const outputs = [
  { format: 'raw', qemu: 'raw' },
  { format: 'qcow2', qemu: 'qcow2' },
  { format: 'vhd', qemu: 'vpc' },
  { format: 'vhd-dynamic', qemu: 'vpc' },
] as const

/** What goes in comes out: each disk by each road, in each format, through each storage class, out of each region. */
suite(`bytes in, the same bytes out (seed ${seed})`, { timeout: 300_000 }, () => {
  const disks = makeDisks(seed)
  const random = seededBytes(seed + 1)
  const pick = (below: number): number => random(4).readUInt32LE(0) % below
  let folder = ''
  let server: RunningGoldleaf
  let definition = ''
  let nextVersion = 0
  let turn = 0

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-bytes-'))
    const config = join(folder, 'config.json')
    await writeFile(config, JSON.stringify({ retryAfterSeconds: 0 }))
    server = await startGoldleaf({ data: join(folder, 'data'), args: ['--config', config] })
    definition = await createDefinition(server, 'bytes')
  })
  after(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** Three regions with the three classes, each time another one home and another class there. */
  const nextTargets = (): readonly TargetRegion[] => {
    turn += 1
    return regions.map((_, at) => ({
      name: regions[(at + turn) % 3] ?? regions[0],
      storageAccountType: classes[(at + turn + Math.floor(turn / 3)) % 3] ?? classes[0],
    }))
  }
  const nextName = (): string => `1.0.${(nextVersion += 1)}`

  async function makeInput(raw: string, format: InputFormat): Promise<string> {
    if (!format.qemu) return raw
    const file = `${raw}.${format.name.replaceAll(' ', '-')}.${format.extension}`
    const [name, ...options] = format.qemu
    await convertImage(raw, file, name, options)
    return file
  }

  async function push(file: string): Promise<string> {
    const version = nextName()
    const targets = nextTargets()
    const list = targets.map(({ name, storageAccountType }) => `${name}=1=${storageAccountType}`).join(',')
    const where = ['-g', 'bytes', '--gallery', 'bytes', '--definition', 'bytes', '--version', version]
    const { code, err } = await cli(server, 'image', 'push', file, ...where, '--regions', list)
    assert.equal(code, 0, err)
    return version
  }

  async function pull(version: string, region: string, format: string, raw: string, qemu: string): Promise<void> {
    const out = `${raw}.back.${format}`
    const where = ['-g', 'bytes', '--gallery', 'bytes', '--definition', 'bytes', '--version', version]
    const { code, err } = await cli(
      server,
      'image',
      'pull',
      ...where,
      '--region',
      region,
      '--format',
      format,
      '--out',
      out,
    )
    assert.equal(code, 0, err)
    if (format === 'raw') assert.equal(await sha256OfFile(out), await sha256OfFile(raw), `${region} as ${format}`)
    else await assertSameImage(raw, 'raw', out, qemu)
    await rm(out)
  }

  /** Out of a region by its signed address: the whole, and ranges on and beside borders. */
  async function checkAddress(version: string, region: string, raw: string, sizeBytes: number): Promise<void> {
    const address = await addressOf(server, `${definition}/versions/${version}`, region)
    if (sizeBytes <= 128 * MiB) {
      const whole = await sha256OfAnswer(address)
      assert.deepEqual([whole.status, whole.bytes], [200, sizeBytes])
      assert.equal(whole.sha256, await sha256OfFile(raw), `${region} by address`)
    }
    await using file = await open(raw)
    for (const first of [0, sizeBytes - 1, Math.min(65_535, sizeBytes - 1), pick(sizeBytes), pick(sizeBytes)]) {
      const last = Math.min(sizeBytes - 1, first + pick(200_000))
      const want = Buffer.alloc(last - first + 1)
      await file.read(want, 0, want.length, first)
      const part = await sha256OfAnswer(address, `bytes=${first}-${last}`)
      assert.deepEqual([part.status, part.bytes], [206, want.length])
      assert.equal(part.sha256, createHash('sha256').update(want).digest('hex'), `${region} bytes ${first}-${last}`)
    }
  }

  async function checkEverywhere(version: string, raw: string, disk: TestDisk): Promise<void> {
    const start = pick(outputs.length)
    for (const [at, region] of regions.entries()) {
      await checkAddress(version, region, raw, disk.sizeBytes)
      const output = outputs[(start + at) % outputs.length] ?? outputs[0]
      await pull(version, region, output.format, raw, output.qemu)
    }
  }

  for (const [at, disk] of disks.entries())
    test(`${disk.name} (${disk.sizeBytes} bytes), pushed`, async () => {
      const raw = await writeRaw(join(folder, `${at}.raw`), disk)
      // Every format over all disks together, two for each of them.
      for (const shift of [0, 3]) {
        const format = inputs[(2 * at + shift) % inputs.length]
        assert.ok(format)
        const file = await makeInput(raw, format)
        const version = await push(file)
        await checkEverywhere(version, raw, disk)
        if (file !== raw) await rm(file)
      }
    })

  for (const [at, disk] of disks.entries()) {
    if (disk.sizeBytes % MiB !== 0) continue
    test(`${disk.name} (${disk.sizeBytes} bytes), as a blob and as an uploaded disk`, async () => {
      const raw = await writeRaw(join(folder, `${at}.raw`), disk)
      const [fixed, dynamic] = inputs.filter((format) => format.isVhd)
      assert.ok(fixed && dynamic)
      const roads = at % 2 === 0 ? { blob: fixed, disk: dynamic } : { blob: dynamic, disk: fixed }
      const uri = await putBlob(server, `${at}.vhd`, await makeInput(raw, roads.blob))
      const home = nextTargets()
      const id = await uploadDisk(server, `disk${at}`, await makeInput(raw, roads.disk), home[0]?.name)
      for (const [source, targets] of [
        [{ uri }, nextTargets()],
        [{ id }, home],
      ] as const) {
        const version = nextName()
        await publish(server, `${definition}/versions/${version}`, versionBody(source, targets))
        await checkEverywhere(version, raw, disk)
      }
    })
  }

  test('all versions together: every byte of every replica is right', async () => {
    const all = Array.from({ length: nextVersion }, (_, at) => `1.0.${at + 1}`)
    await mapLimit(all, 4, async (version) => {
      const where = ['-g', 'bytes', '--gallery', 'bytes', '--definition', 'bytes', '--version', version]
      const { code, err } = await cli(server, 'image', 'verify', ...where)
      assert.equal(code, 0, `${version}: ${err}`)
    })
  })
})
