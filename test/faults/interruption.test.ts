import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { convertImage, testSeed as seed } from '../support/disks.ts'
import { armCaller, eventually, runGoldleaf, startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import {
  createDefinition,
  deleteBlob,
  downloadLike,
  lrs,
  putBlob,
  showVersion,
  startPublishing,
  verifyVersion,
  versionBody,
} from '../support/publishing.ts'
import { filesIn } from './damage.fixture.ts'
import { writeNoise } from './noise.fixture.ts'

const MiB = 1 << 20

/** Somebody or something stops in the middle: what was begun ends, and what was said holds. */
suite(`interruptions (seed ${seed})`, { timeout: 200_000 }, () => {
  let folder = ''
  let data = ''
  let raw = ''
  let definition = ''
  let server: RunningGoldleaf

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-interrupted-'))
    data = join(folder, 'data')
    raw = await writeNoise(join(folder, 'noise.raw'), 160 * MiB, seed)
    await convertImage(raw, `${raw}.vhd`, 'vpc', ['-o', 'subformat=fixed,force_size=on'])
    server = await startGoldleaf({ data })
    definition = await createDefinition(server, 'broken')
  })
  after(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const storedIn = async (region: string): Promise<number> => {
    let bytes = 0
    for (const path of filesIn({ data, region }, 'packs/*.pack')) bytes += (await stat(path)).size
    return bytes
  }

  test('a second server on the same data folder refuses, and the first goes on', async () => {
    const refused = runGoldleaf(['serve', '--data', data, '--listen', '127.0.0.1:0'])
    await assert.rejects(refused, (error: Error & { code?: number; stderr?: string }) => {
      assert.equal(error.code, 1)
      assert.match(
        error.stderr ?? '',
        /The data folder \S+ is served already, by process \d+ at https:\S+ Stop that server, or .* \(DataFolderInUse\)/,
      )
      assert.doesNotMatch(error.stderr ?? '', /\n +at /)
      return true
    })
    assert.equal((await armCaller(server).call('GET', `${definition}?api-version=2023-07-03`)).status, 200)
  })

  test('a push whose client is killed goes on where it was: only the rest is sent', async () => {
    const where = ['--gallery', 'pushed', '--definition', 'pushed', '--version', '1.0.0']
    const args = ['--data', data, 'image', 'push', raw, ...where, '--regions', 'westeurope', '--create']
    const command = join(import.meta.dirname, '../../bin/goldleaf.ts')
    const child = spawn(process.execPath, [command, ...args], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await eventually(async () => assert.ok((await storedIn('westeurope')) > 40 * MiB), 60_000, 10)
    child.kill('SIGKILL')
    await ended
    const before = await storedIn('westeurope')
    assert.ok(before < 150 * MiB, `the push had ended before it was killed: ${before}`)
    const { stderr } = await runGoldleaf(args)
    const sent = /Published 1\.0\.0: .* read, .* new, ([\d.]+) MiB sent/.exec(stderr)?.[1]
    assert.ok(Number(sent) > 0 && Number(sent) * MiB < 160 * MiB - before + 8 * MiB, `${stderr} after ${before}`)
    const { status, body } = await armCaller(server).call(
      'GET',
      `/subscriptions/${server.env.subscriptionId}/resourceGroups/goldleaf/providers/Microsoft.Compute/galleries/pushed/images/pushed/versions/1.0.0?api-version=2023-07-03`,
    )
    assert.equal(status, 200)
    assert.equal((await downloadLike(server, body.id ?? '', 'westeurope', raw)).isWhole, true)
  })

  test('SIGTERM in the middle of a publish: stops in time, and the operation ends after the next start', async () => {
    const id = `${definition}/versions/1.0.0`
    const blob = await putBlob(server, 'noise.vhd', `${raw}.vhd`)
    const started = await startPublishing(server, id, versionBody({ uri: blob }, lrs('northeurope', 'eastus')))
    assert.equal(started.status, 201, JSON.stringify(started.body))
    await eventually(async () => assert.ok((await storedIn('northeurope')) > 8 * MiB), 60_000, 10)
    const beganMs = performance.now()
    assert.equal(await server.stop(), 0, server.log().slice(-2000))
    assert.ok(performance.now() - beganMs < 25_000, 'longer than a service manager waits')
    server = await startGoldleaf({ data })
    const shown = await eventually(async () => {
      const version = await showVersion(server, id)
      assert.notEqual(version.properties?.provisioningState, 'Creating')
      return version
    }, 90_000)
    assert.equal(shown.properties?.provisioningState, 'Succeeded', JSON.stringify(shown))
    assert.equal(shown.properties?.replicationStatus?.aggregatedState, 'Completed')
    for (const region of ['northeurope', 'eastus'])
      assert.equal((await downloadLike(server, id, region, raw)).isWhole, true)
    const { status } = await armCaller(server).call('DELETE', `${id}?api-version=2023-07-03`)
    assert.equal(status, 202)
  })

  test('a source blob that is deleted during the publish: the version is right or fails by name', async () => {
    const id = `${definition}/versions/1.0.1`
    const other = await writeNoise(join(folder, 'other.raw'), 64 * MiB, seed + 1)
    await convertImage(other, `${other}.vhd`, 'vpc', ['-o', 'subformat=fixed,force_size=on'])
    const blob = await putBlob(server, 'going.vhd', `${other}.vhd`)
    const before = await storedIn('eastus')
    const started = await startPublishing(server, id, versionBody({ uri: blob }, lrs('eastus', 'westeurope')))
    await eventually(async () => assert.ok((await storedIn('eastus')) > before + 4 * MiB), 30_000, 10)
    const deleted = await deleteBlob(server, blob)
    const done = await armCaller(server).settle(started)
    if (done.status === 'Succeeded') {
      for (const region of ['eastus', 'westeurope'])
        assert.equal((await downloadLike(server, id, region, other)).isWhole, true)
      assert.equal((await verifyVersion(server, 'broken', '1.0.1')).code, 0)
    } else assert.match(done.error?.message ?? '', /going\.vhd/)
    assert.ok([202, 409, 412].includes(deleted), String(deleted))
  })

  test('a source blob that is gone before the publish begins is refused by name', async () => {
    const blob = await putBlob(server, 'gone.vhd', `${raw}.vhd`)
    assert.equal(await deleteBlob(server, blob), 202)
    const answer = await startPublishing(
      server,
      `${definition}/versions/1.0.2`,
      versionBody({ uri: blob }, lrs('eastus')),
    )
    assert.ok(answer.status >= 400 && answer.status < 500, JSON.stringify(answer.body))
    assert.match(answer.body.error?.message ?? '', /gone\.vhd/)
  })
})
