import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { convertImage, writeSparseDisk, testSeed as seed } from '../support/disks.ts'
import { armCaller, startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import {
  createDefinition,
  deleteBlob,
  downloadLike,
  lrs,
  publish,
  putBlob,
  showVersion,
  startPublishing,
  verifyVersion,
  versionBody,
  zrs,
} from '../support/publishing.ts'
import { damages, filesIn, flipBits } from './damage.fixture.ts'

const MiB = 1 << 20

/**
 * Bytes at rest go bad under a real server, while it runs or while it does not: what it serves is right or broken off,
 * `verify` says what is wrong and takes it from where it is whole.
 */
suite(`damage at rest (seed ${seed})`, { timeout: 240_000 }, () => {
  let folder = ''
  let data = ''
  let raw = ''
  let blob = ''
  let server: RunningGoldleaf
  const versions = new Map<string, string>()
  const restart = async (meanwhile: () => Promise<void>): Promise<void> => {
    await server.stop()
    await meanwhile()
    server = await startGoldleaf({ data })
  }
  /** A version of its own definition, so that each test has its own rows; the bytes are the same disk. */
  const make = async (name: string, regions: Parameters<typeof versionBody>[1]): Promise<string> => {
    const id = `${await createDefinition(server, name)}/versions/1.0.0`
    await publish(server, id, versionBody({ uri: server.env.httpEndpoint + blob }, regions))
    versions.set(name, id)
    return id
  }
  const assertServes = async (id: string, ...regions: readonly string[]): Promise<void> => {
    for (const region of regions) assert.equal((await downloadLike(server, id, region, raw)).isWhole, true, region)
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-damage-'))
    data = join(folder, 'data')
    raw = await writeSparseDisk(join(folder, 'disk.raw'), 24 * MiB, 30, seed)
    await convertImage(raw, `${raw}.vhd`, 'vpc', ['-o', 'subformat=dynamic,force_size=on'])
    server = await startGoldleaf({ data })
    blob = new URL(await putBlob(server, 'disk.vhd', `${raw}.vhd`)).pathname
    await make('one', lrs('westeurope', 'northeurope'))
  })
  after(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** Damage in one region: the other serves; verify takes what was lost from there. */
  const assertHeals = async (region: string, other: string, harmless = false): Promise<void> => {
    const id = versions.get('one') ?? ''
    const broken = await downloadLike(server, id, region, raw)
    if (harmless) assert.ok(broken.isWhole)
    await assertServes(id, other)
    const { code, replicas, err } = await verifyVersion(server, 'one', '1.0.0')
    assert.equal(code, 0, `${err}\n${JSON.stringify(replicas)}\n${server.log().slice(-3000)}`)
    for (const replica of replicas) assert.deepEqual([replica.state, replica.lost], ['Completed', []])
    const here = replicas.find((replica) => replica.region === region)
    if (!broken.isWhole) {
      assert.ok((here?.repaired ?? 0) > 0, JSON.stringify(here))
      assert.deepEqual(here?.repairedFrom, [other])
    }
    await assertServes(id, region, other)
  }

  for (const { why, run: damage, harmless, isOutOfOrderUntilRestart, only } of damages) {
    if (only !== 'stopped')
      test(`${why} while the server runs: never served, and taken from the other region`, async () => {
        await damage({ data, region: 'westeurope' }, seed)
        if (isOutOfOrderUntilRestart) {
          const failed = await verifyVersion(server, 'one', '1.0.0')
          assert.equal(failed.code, 1)
          assert.match(failed.err, /The storage of region westeurope failed/)
          await restart(async () => {})
        }
        await assertHeals('westeurope', 'northeurope', harmless)
      })

    if (only !== 'running')
      test(`${why} while it is stopped: the region that was healed before heals the other`, async () => {
        await restart(() => damage({ data, region: 'northeurope' }, seed + 1))
        await assertHeals('northeurope', 'westeurope', harmless)
      })
  }

  test('two regions that lost different frames heal each other', async () => {
    const id = versions.get('one') ?? ''
    // One bit each: among more, the same frame is lost in both in one run of a dozen.
    for (const [at, region] of ['westeurope', 'northeurope'].entries())
      for (const pack of filesIn({ data, region }, 'packs/*.pack')) await flipBits(pack, 1, seed + 10 + at, 4096)
    const { code, replicas, err } = await verifyVersion(server, 'one', '1.0.0')
    assert.equal(code, 0, `${err}\n${JSON.stringify(replicas)}`)
    await assertServes(id, 'westeurope', 'northeurope')
  })

  test('what no region has whole is reported with exit code 1, no longer latest, and healed by an update', async () => {
    const id = await make('alone', lrs('eastus'))
    for (const pack of filesIn({ data, region: 'eastus' }, 'packs/*.pack')) await flipBits(pack, 40, seed, 4096)
    for (const region of ['westeurope', 'northeurope'])
      await restart(async () => {
        for (const pack of filesIn({ data, region }, 'packs/*.pack')) await rm(pack)
      })
    assert.equal((await downloadLike(server, id, 'eastus', raw)).isWhole, false)
    const { code, replicas, err } = await verifyVersion(server, 'alone', '1.0.0')
    assert.equal(code, 1)
    assert.ok((replicas[0]?.lost.length ?? 0) > 0)
    assert.equal(replicas[0]?.state, 'Failed')
    assert.match(err, /OS disk in region 'eastus' is damaged: \d+ frame\(s\), the first at byte \d+, cannot be read/)
    const shown = await showVersion(server, id)
    assert.equal(shown.properties?.replicationStatus?.aggregatedState, 'Failed')
    assert.match(shown.properties?.replicationStatus?.summary[0]?.details ?? '', /Update the version to take it again/)
    const latest = await armCaller(server).call(
      'POST',
      `${id.split('/versions/')[0]}/resolveLatest?api-version=2025-03-03`,
      { location: 'eastus' },
    )
    assert.equal(latest.status, 404, JSON.stringify(latest.body))
    await publish(server, id, versionBody(undefined, lrs('eastus')))
    const healed = await verifyVersion(server, 'alone', '1.0.0')
    assert.equal(healed.code, 0, healed.err)
    await assertServes(id, 'eastus')
    // The others take it from here now.
    assert.equal((await verifyVersion(server, 'one', '1.0.0')).code, 0)
    await assertServes(versions.get('one') ?? '', 'westeurope', 'northeurope')
  })

  for (const when of ['while the server runs', 'while it is stopped'] as const)
    test(`a zone lost ${when} costs a ZRS region nothing, and verify makes it whole`, async () => {
      const name = when === 'while it is stopped' ? 'zonalB' : 'zonalA'
      const id = await make(name, zrs('westeurope'))
      const lose = async (): Promise<void> => {
        for (const pack of filesIn({ data, region: 'westeurope', unit: 'zone-2' }, 'packs/*.pack')) await rm(pack)
        for (const manifest of filesIn({ data, region: 'westeurope', unit: 'zone-2' }, 'manifests/*/*'))
          await rm(manifest)
      }
      if (when === 'while the server runs') await lose()
      else await restart(lose)
      await assertServes(id, 'westeurope')
      // A pack that is open in the server fails its first write after it was deleted; the next goes into a new one.
      const found = [await verifyVersion(server, name, '1.0.0'), await verifyVersion(server, name, '1.0.0')]
      for (const { code, err, replicas } of found) {
        assert.equal(code, 0, err)
        assert.equal(replicas[0]?.repairedFrom, undefined, 'its own zones are enough')
      }
      assert.ok(found.some(({ replicas }) => (replicas[0]?.repaired ?? 0) > 0))
      const clean = await verifyVersion(server, name, '1.0.0')
      assert.deepEqual([clean.code, clean.replicas[0]?.repaired], [0, 0])
      await assertServes(id, 'westeurope')
    })

  test('a disk whose source is gone heals from another version in another region', async () => {
    const id = await make('orphan', lrs('eastus'))
    assert.ok((await deleteBlob(server, server.env.httpEndpoint + blob)) < 300)
    await restart(async () => {
      for (const pack of filesIn({ data, region: 'eastus' }, 'packs/*.pack')) await rm(pack)
    })
    // Another region has the same disk under another version: that is enough.
    const { code, replicas, err } = await verifyVersion(server, 'orphan', '1.0.0')
    assert.equal(code, 0, err)
    assert.ok((replicas[0]?.repairedFrom ?? []).length > 0)
    await assertServes(id, 'eastus')
  })

  test('a region whose only source is damaged is not made of it: the update fails and says which region to heal', async () => {
    const other = await writeSparseDisk(join(folder, 'other.raw'), 4 * MiB, 30, seed + 1)
    await convertImage(other, `${other}.vhd`, 'vpc', ['-o', 'subformat=dynamic,force_size=on'])
    const uri = await putBlob(server, 'other.vhd', `${other}.vhd`)
    const id = `${await createDefinition(server, 'lone')}/versions/1.0.0`
    await publish(server, id, versionBody({ uri }, lrs('eastus')))
    assert.ok((await deleteBlob(server, uri)) < 300)
    await restart(async () => {
      for (const pack of filesIn({ data, region: 'eastus' }, 'packs/*.pack')) await flipBits(pack, 60, seed, 4096)
    })
    const body = versionBody(undefined, lrs('eastus', 'northeurope'))
    const ended = await armCaller(server).settle(await startPublishing(server, id, body))
    assert.equal(ended.error?.code, 'ReplicationJobsNotCompleted', JSON.stringify(ended))
    assert.match(ended.error.message, /copied from region 'eastus' is damaged or incomplete there/)
  })
})
