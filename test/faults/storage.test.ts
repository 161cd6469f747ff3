import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { convertImage, testSeed as seed } from '../support/disks.ts'
import { armCaller, eventually, startGoldleaf } from '../support/goldleaf.ts'
import {
  createDefinition,
  downloadLike,
  lrs,
  publish,
  putBlob,
  showVersion,
  startPublishing,
  verifyVersion,
  versionBody,
} from '../support/publishing.ts'
import { writeNoise } from './noise.fixture.ts'

const MiB = 1 << 20

/** A small file system of its own, as a region's disk is; undefined where this machine does not let us mount one. */
function mountSmall(folder: string, sizeMiB: number): Disposable | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  return { [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' }) }
}

async function makeDisk(folder: string, name: string, sizeBytes: number, salt: number): Promise<string> {
  const raw = await writeNoise(join(folder, name), sizeBytes, seed + salt)
  await convertImage(raw, `${raw}.vhd`, 'vpc', ['-o', 'subformat=fixed,force_size=on'])
  return raw
}

suite(`storage that fails (seed ${seed})`, { timeout: 200_000 }, () => {
  test('a region whose disk is full fails by name; the others stand, and the same PUT succeeds once there is room', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-full-'))
    const small = join(folder, 'north')
    await mkdir(small)
    const mounted = mountSmall(small, 48)
    if (!mounted) {
      await rm(folder, { recursive: true })
      return t.skip('NOT TESTED: no file system can be mounted here (needs root). Run it where `mount -t tmpfs` works.')
    }
    const config = join(folder, 'config.json')
    await writeFile(
      config,
      JSON.stringify({ regions: [{ name: 'westeurope' }, { name: 'northeurope', folders: [join(small, 'store')] }] }),
    )
    const data = join(folder, 'data')
    const server = await startGoldleaf({ data, args: ['--config', config] })
    try {
      const definition = await createDefinition(server, 'full')
      const first = await makeDisk(folder, 'first', 8 * MiB, 1)
      const second = await makeDisk(folder, 'second', 32 * MiB, 2)
      const [one, two] = [`${definition}/versions/1.0.0`, `${definition}/versions/1.0.1`]
      await publish(
        server,
        one,
        versionBody({ uri: await putBlob(server, 'one', `${first}.vhd`) }, lrs('westeurope', 'northeurope')),
      )
      const ballast = join(small, 'ballast')
      await writeFile(ballast, Buffer.alloc(20 * MiB, 1))

      // As a replica, and as the region that takes the bytes in.
      const body = versionBody({ uri: await putBlob(server, 'two', `${second}.vhd`) }, lrs('westeurope', 'northeurope'))
      const started = await startPublishing(server, two, body)
      const failed = await armCaller(server).settle(started)
      assert.equal(failed.status, 'Failed')
      assert.match(JSON.stringify(failed.error), /The storage of region northeurope is full.*Free or add disk space/)
      const shown = await showVersion(server, two)
      assert.equal(shown.properties?.provisioningState, 'Failed')
      assert.deepEqual(
        shown.properties?.replicationStatus?.summary.map((line) => [line.region, line.state]),
        [
          ['westeurope', 'Completed'],
          ['northeurope', 'Failed'],
        ],
      )
      assert.match(shown.properties?.replicationStatus?.summary[1]?.details ?? '', /northeurope is full/)
      const { call, must } = armCaller(server)
      const gallery = `${definition.replace(/\/images\/.*/, '')}?api-version=2024-03-03`
      await must('PATCH', gallery, { properties: { softDeletePolicy: { isSoftDeleteEnabled: true } } })
      const kept = await call('DELETE', `${two}?api-version=2024-03-03`)
      assert.deepEqual([kept.status, kept.body.error?.code], [409, 'OperationNotAllowed'])
      assert.match(kept.body.error?.message ?? '', /failed, so it cannot go into the recycle bin.*Repeat its PUT/)
      await must('PATCH', gallery, { properties: { softDeletePolicy: { isSoftDeleteEnabled: false } } })
      const three = `${definition}/versions/1.0.2`
      const home = versionBody({ uri: await putBlob(server, 'three', `${second}.vhd`) }, lrs('northeurope'))
      const atHome = await armCaller(server).settle(await startPublishing(server, three, home))
      assert.equal(atHome.status, 'Failed')
      assert.match(atHome.error?.message ?? '', /The storage of region northeurope is full/)

      for (const region of ['westeurope', 'northeurope'])
        assert.equal((await downloadLike(server, one, region, first)).isWhole, true)
      assert.equal((await downloadLike(server, two, 'westeurope', second)).isWhole, true)
      assert.equal((await verifyVersion(server, 'full', '1.0.0')).code, 0)

      await truncate(ballast, 0)
      await publish(server, two, body)
      await publish(server, three, home)
      for (const region of ['westeurope', 'northeurope']) {
        assert.equal((await downloadLike(server, one, region, first)).isWhole, true)
        assert.equal((await downloadLike(server, two, region, second)).isWhole, true)
      }
      for (const version of ['1.0.0', '1.0.1', '1.0.2'])
        assert.equal((await verifyVersion(server, 'full', version)).code, 0)
    } finally {
      await server.stop()
      mounted[Symbol.dispose]()
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('the whole data folder is full, database and all: nothing acknowledged is lost, and it goes on with room', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-full-'))
    const data = join(folder, 'data')
    await mkdir(data)
    const mounted = mountSmall(data, 192)
    if (!mounted) {
      await rm(folder, { recursive: true })
      return t.skip('NOT TESTED: no file system can be mounted here (needs root). Run it where `mount -t tmpfs` works.')
    }
    let server = await startGoldleaf({ data })
    try {
      const definition = await createDefinition(server, 'full')
      const first = await makeDisk(folder, 'first', 4 * MiB, 3)
      const second = await makeDisk(folder, 'second', 24 * MiB, 4)
      const [one, two] = [`${definition}/versions/1.0.0`, `${definition}/versions/1.0.1`]
      await publish(
        server,
        one,
        versionBody({ uri: await putBlob(server, 'one', `${first}.vhd`) }, lrs('westeurope', 'eastus')),
      )
      const body = versionBody({ uri: await putBlob(server, 'two', `${second}.vhd`) }, lrs('westeurope', 'eastus'))
      const ballast = join(data, 'ballast')
      const room = Number(execFileSync('df', ['--output=avail', '-B1', data]).toString().split('\n')[1])
      await writeFile(ballast, Buffer.alloc(room - 36 * MiB, 1))
      const started = await startPublishing(server, two, body)
      assert.equal(started.status, 201, JSON.stringify(started.body))
      const failed = await armCaller(server).settle(started)
      assert.equal(failed.status, 'Failed', JSON.stringify(failed))
      assert.match(JSON.stringify(failed.error), /full/)
      for (const region of ['westeurope', 'eastus'])
        assert.equal((await downloadLike(server, one, region, first)).isWhole, true)
      // A start on a full disk must not make it worse.
      await server.stop()
      await truncate(ballast, 0)
      server = await startGoldleaf({ data })
      const again = versionBody(undefined, lrs('westeurope', 'eastus'))
      await eventually(() => publish(server, two, again), 30_000)
      for (const region of ['westeurope', 'eastus']) {
        assert.equal((await downloadLike(server, one, region, first)).isWhole, true)
        assert.equal((await downloadLike(server, two, region, second)).isWhole, true)
      }
    } finally {
      await server.stop()
      mounted[Symbol.dispose]()
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('a region folder that may not be written for a while: the publish waits for it and succeeds', async (t) => {
    await using server = await startGoldleaf()
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-denied-'))
    const store = join(server.data, 'regions/northeurope/stamp-1/standard')
    // The superuser may write everywhere but into what is immutable.
    const deny = (flag: '+i' | '-i'): void => {
      for (const part of ['packs', 'tmp', 'manifests'])
        execFileSync('chattr', [flag, join(store, part)], { stdio: 'pipe' })
    }
    try {
      const definition = await createDefinition(server, 'denied')
      const first = await makeDisk(folder, 'first', 8 * MiB, 5)
      const [one, two] = [`${definition}/versions/1.0.0`, `${definition}/versions/1.0.1`]
      const source = { uri: await putBlob(server, 'one', `${first}.vhd`) }
      await publish(server, one, versionBody(source, lrs('westeurope', 'northeurope')))
      try {
        deny('+i')
      } catch {
        return t.skip('NOT TESTED: chattr +i does not work here (needs root and a file system with attributes).')
      }
      const second = await makeDisk(folder, 'second', 32 * MiB, 6)
      const body = versionBody({ uri: await putBlob(server, 'two', `${second}.vhd`) }, lrs('northeurope', 'westeurope'))
      const started = await startPublishing(server, two, body)
      await eventually(async () => assert.match(server.log(), /StorageFailed/), 30_000)
      assert.equal((await downloadLike(server, one, 'northeurope', first)).isWhole, true)
      deny('-i')
      const done = await armCaller(server).settle(started)
      assert.equal(done.status, 'Succeeded', JSON.stringify(done))
      for (const region of ['westeurope', 'northeurope'])
        assert.equal((await downloadLike(server, two, region, second)).isWhole, true)
    } finally {
      deny('-i')
      await rm(folder, { recursive: true, force: true })
    }
  })
})
