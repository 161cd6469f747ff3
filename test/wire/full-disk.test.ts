import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { randomBytes } from 'node:crypto'
import { fixedVhd } from './vhd.ts'
import { openWire, versionBody } from './wire.ts'
import type { Wire } from './wire.ts'

const run = promisify(execFile)
const sizeMiB = 150

async function mountSmallDisk(folder: string): Promise<string | undefined> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'goldleaf-test', folder])
    return undefined
  } catch (error) {
    return `a small disk cannot be mounted here (needs root): ${String(error).slice(0, 200)}`
  }
}

const folder = await mkdtemp(join(tmpdir(), 'goldleaf-full-'))
const skip = await mountSmallDisk(folder)
if (skip !== undefined) await rm(folder, { recursive: true, force: true })

/** A disk that fills up: what was acknowledged stays, what does not fit is refused, and room makes all good again. */
suite('a full disk on the wire', { skip: skip ?? false }, () => {
  let wire: Wire
  const noise = (sizeMiB: number): Buffer<ArrayBuffer> => randomBytes(sizeMiB * 1024 * 1024)
  const first = noise(8)
  before(async () => {
    wire = await openWire({ data: join(folder, 'data') })
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.publish('g/d/1.0.0', await wire.blob('first.vhd', fixedVhd(first)))
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await run('umount', [folder])
    await rm(folder, { recursive: true, force: true })
  })

  const firstIsWhole = async (): Promise<void> => {
    const { body } = await wire.arm.call('POST', wire.at('galleries/g/images/d/versions/1.0.0/beginGetAccess'), {
      access: 'Read',
      durationInSeconds: 60,
    })
    const bytes = Buffer.from(await (await fetch(body.accessSAS ?? '')).arrayBuffer())
    assert.ok(bytes.equals(first))
  }

  test('an upload that does not fit: 507 InsufficientStorage, nothing stays behind', async () => {
    const uri = `${wire.server.env.httpEndpoint}/blob/wire/vhds/big.vhd`
    const headers = { authorization: `Bearer ${wire.server.token}`, 'x-ms-blob-type': 'BlockBlob' }
    const before = await wire.everything()
    const answer = await fetch(uri, { method: 'PUT', headers, body: fixedVhd(noise(120)) }).catch(
      (error: unknown) => error,
    )
    // The server ends a large body that it refuses; a client that is still sending may see that instead of the answer.
    if (answer instanceof Response) {
      assert.equal(answer.status, 507)
      assert.equal(answer.headers.get('x-ms-error-code'), 'InsufficientStorage')
      assert.match(await answer.text(), /are needed\. Free space on the server's data disk/)
    }
    assert.equal((await fetch(uri, { method: 'HEAD', headers })).status, 404)
    assert.deepEqual(await wire.everything(), before)
    await firstIsWhole()
  })

  test('a version that does not fit fails with its reason; with room the same PUT succeeds', async () => {
    const uri = await wire.blob('second.vhd', fixedVhd(noise(24)))
    // Fill what is left but for a little, as another program on the machine would.
    const { stdout } = await run('df', ['--output=avail', '-B1', folder])
    const free = Number(stdout.trim().split('\n').at(-1))
    const filler = join(folder, 'filler')
    await run('fallocate', ['-l', String(free - 6 * 1024 * 1024), filler])
    const path = wire.at('galleries/g/images/d/versions/2.0.0')
    const started = await wire.arm.call('PUT', path, versionBody(uri))
    assert.equal(started.status, 201, JSON.stringify(started.body))
    const done = await wire.arm.settle(started)
    assert.equal(done.status, 'Failed', JSON.stringify(done))
    assert.match(done.error?.message ?? '', /full.*[Ff]ree/s)
    assert.equal(done.error?.code, 'StorageFull')
    const failed = await wire.arm.call('GET', `${path}&$expand=ReplicationStatus`)
    assert.equal(failed.body.properties?.provisioningState, 'Failed')
    assert.equal(failed.body.properties?.replicationStatus?.aggregatedState, 'Failed')
    await firstIsWhole()
    await rm(filler)
    await wire.arm.must('PUT', path, versionBody(uri))
    const mended = await wire.arm.call('GET', `${path}&$expand=ReplicationStatus`)
    assert.equal(mended.body.properties?.replicationStatus?.aggregatedState, 'Completed')
    await firstIsWhole()
  })
})

if (skip !== undefined) process.stdout.write(`# skipped: ${skip}\n`)
