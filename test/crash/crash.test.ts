import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadBlob } from '../support/blobs.ts'
import { convertImage, seededBytes, sha256OfFile, writeSparseDisk, testSeed as seed } from '../support/disks.ts'
import { armCaller, eventually, startGoldleaf } from '../support/goldleaf.ts'
import type { ArmDocument, RunningGoldleaf } from '../support/goldleaf.ts'

/** CI asks for 50 (.ci/run); the others of `npm test` have ten minutes together. */
const kills = Number(process.env['GOLDLEAF_KILLS'] ?? 12)
const definition = 'resourceGroups/crash/providers/Microsoft.Compute/galleries/crash/images/disk'
const apiVersion = 'api-version=2023-07-03'
const regions = ['westeurope', 'northeurope', 'eastus']
const diskCount = 4

/** What the client was told: that is what must hold after every restart. */
interface Told {
  readonly disk: number
  /** `asked`: the answer was lost with the server, so either outcome is right. */
  state: 'asked' | 'created' | 'deleteAsked' | 'deleted'
  /** A DELETE first cancels a creation under way; if the server dies in between, `Failed: canceled` is the truth. */
  mayBeCanceled?: boolean
}

/**
 * DESIGN section 8, first row: kill -9 at random moments of publish, replicate and delete. After each restart every
 * operation ends with a reason or a success, nothing acknowledged is lost, no orphan is visible, and what a region
 * serves is byte for byte what went in.
 */
test(`the server survives ${kills} kills (seed ${seed})`, { timeout: 470_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-crash-'))
  const data = join(folder, 'data')
  const random = seededBytes(seed)
  const pick = (n: number): number => random(4).readUInt32LE(0) % n
  const told = new Map<string, Told>()
  const hashes: string[] = []
  let blobs: string[] = []
  let nextVersion = 0
  let interrupted = 0
  const servers: RunningGoldleaf[] = []
  const logOf = (): string => servers.at(-1)?.log().slice(-3000) ?? ''
  const start = async (): Promise<RunningGoldleaf> => {
    const [first] = servers
    const server = await startGoldleaf({ data, ...(first ? { earlier: first } : {}) })
    servers.push(server)
    return server
  }
  try {
    const first = await start()
    blobs = await prepare(first, folder, hashes)
    await first.stop()
    for (let kill = 1; kill <= kills; kill += 1) {
      const server = await start()
      const busy = mayhem(server, told, blobs, () => `1.0.${nextVersion++}`, pick)
      await sleep(pick(900))
      await server.kill()
      interrupted += await busy
      const after = await start()
      await checkEverything(after, told, hashes, pick, `after kill ${kill}, seed ${seed}`)
      // Every other restart is itself a kill: recovery must survive being interrupted too.
      await (kill % 2 === 0 ? after.kill() : after.stop())
    }
    const last = await start()
    await checkEverything(last, told, hashes, pick, `at the end, seed ${seed}`)
    await verifyAll(last, told)
    await last.stop()
    assert.ok(interrupted > 0, 'no kill ever met a request or an operation under way: the test has lost its meaning')
  } catch (error) {
    process.stderr.write(`the last server's log:\n${logOf()}\n`)
    throw error
  } finally {
    for (const server of servers) await server.kill()
    await rm(folder, { recursive: true, force: true })
  }
})

async function prepare(server: RunningGoldleaf, folder: string, hashes: string[]): Promise<string[]> {
  const arm = armCaller(server)
  const base = `/subscriptions/${server.env.subscriptionId}`
  await arm.must('PUT', `${base}/resourceGroups/crash?api-version=2021-04-01`, { location: 'westeurope' })
  const gallery = `${base}/resourceGroups/crash/providers/Microsoft.Compute/galleries/crash`
  await arm.must('PUT', `${gallery}?${apiVersion}`, { location: 'westeurope' })
  await arm.must('PUT', `${gallery}/images/disk?${apiVersion}`, {
    location: 'westeurope',
    properties: {
      osType: 'Linux',
      osState: 'Specialized',
      identifier: { publisher: 'p', offer: 'o', sku: 's' },
    },
  })
  const blobs: string[] = []
  for (let i = 0; i < diskCount; i += 1) {
    const raw = await writeSparseDisk(join(folder, `${i}.raw`), 32 * 1024 * 1024, 30 + 20 * i, 1000 + i)
    hashes.push(await sha256OfFile(raw))
    await convertImage(raw, `${raw}.vhd`, 'vpc', ['-o', 'subformat=dynamic,force_size=on'])
    const path = `crash/disks/${i}.vhd`
    await uploadBlob(server, path, await readFile(`${raw}.vhd`))
    blobs.push(`/blob/${path}`)
  }
  return blobs
}

/** Publishes, extends and deletes at random until the server dies; answers how many requests it cut off or left open. */
async function mayhem(
  server: RunningGoldleaf,
  told: Map<string, Told>,
  blobs: readonly string[],
  newName: () => string,
  pick: (n: number) => number,
): Promise<number> {
  const arm = armCaller(server)
  const path = (name: string): string =>
    `/subscriptions/${server.env.subscriptionId}/${definition}/versions/${name}?${apiVersion}`
  const sourceOf = (disk: number) => ({
    osDiskImage: {
      source: {
        uri: server.env.endpoint + blobs[disk],
        storageAccountId: `/subscriptions/${server.env.subscriptionId}/resourceGroups/crash/providers/Microsoft.Storage/storageAccounts/crash`,
      },
    },
  })
  const body = (storageProfile: object, names: readonly string[]) => ({
    location: 'westeurope',
    properties: {
      storageProfile,
      publishingProfile: {
        targetRegions: names.map((name) => ({
          name,
          storageAccountType: name === 'eastus' ? 'Standard_LRS' : 'Standard_ZRS',
        })),
      },
      safetyProfile: { allowDeletionOfReplicatedLocations: true },
    },
  })
  let open = 0
  try {
    for (;;) {
      const there = [...told].filter(([, version]) => version.state === 'created').map(([name]) => name)
      const choice = pick(10)
      if (choice < 5 || there.length === 0) {
        const name = newName()
        const disk = pick(blobs.length)
        const wanted = regions.slice(0, 1 + pick(3))
        told.set(name, { disk, state: 'asked' })
        const answer = await arm.call('PUT', path(name), body(sourceOf(disk), wanted))
        assert.equal(answer.status, 201, JSON.stringify(answer.body))
        open += 1
        told.set(name, { disk, state: 'created' })
      } else {
        const name = there[pick(there.length)] ?? ''
        const version = told.get(name)
        if (!version) continue
        if (choice < 8) {
          version.state = 'deleteAsked'
          version.mayBeCanceled = true
          const answer = await arm.call('DELETE', path(name))
          assert.equal(answer.status, 202, JSON.stringify(answer.body))
          version.state = 'deleted'
          open += 1
        } else {
          const answer = await arm.call('PUT', path(name), body({}, regions))
          // Busy with its creation: refused, as said. Otherwise it is extended to all regions.
          assert.ok([200, 409].includes(answer.status), JSON.stringify(answer.body))
          if (answer.status === 200) version.mayBeCanceled = false
        }
      }
      await sleep(pick(120))
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return open + 1
  }
}

async function checkEverything(
  server: RunningGoldleaf,
  told: Map<string, Told>,
  hashes: readonly string[],
  pick: (n: number) => number,
  when: string,
): Promise<void> {
  const arm = armCaller(server)
  const list = `/subscriptions/${server.env.subscriptionId}/${definition}/versions?${apiVersion}`
  const versions = await eventually(async () => {
    const found: ArmDocument[] = []
    for (let next: string | undefined = list; next;) {
      const { body, status } = await arm.call('GET', next)
      assert.equal(status, 200)
      found.push(...(body.value ?? []))
      next = body.nextLink
    }
    for (const version of found)
      assert.ok(
        ['Succeeded', 'Failed'].includes(version.properties?.provisioningState ?? ''),
        `${when}: ${version.name} is still ${version.properties?.provisioningState}`,
      )
    return found
  }, 60_000)
  const names = new Set(versions.map((version) => version.name ?? ''))
  for (const [name, version] of told) {
    if (version.state === 'created') assert.ok(names.has(name), `${when}: ${name} was acknowledged and is gone`)
    if (version.state === 'deleted') assert.ok(!names.has(name), `${when}: ${name} was deleted and is back`)
    if (version.state === 'asked') version.state = names.has(name) ? 'created' : 'deleted'
    if (version.state === 'deleteAsked') version.state = names.has(name) ? 'created' : 'deleted'
  }
  for (const name of names) assert.ok(told.get(name), `${when}: ${name} was never asked for`)
  const chosen = versions.slice(-3)
  for (const version of chosen) await checkVersion(server, version.name ?? '', told, hashes, pick, when)
}

async function checkVersion(
  server: RunningGoldleaf,
  name: string,
  told: Map<string, Told>,
  hashes: readonly string[],
  pick: (n: number) => number,
  when: string,
): Promise<void> {
  const arm = armCaller(server)
  const id = `/subscriptions/${server.env.subscriptionId}/${definition}/versions/${name}`
  const { body } = await arm.call('GET', `${id}?$expand=ReplicationStatus&${apiVersion}`)
  const properties = body.properties
  if (told.get(name)?.mayBeCanceled && properties?.provisioningState === 'Failed') {
    const details = properties.replicationStatus?.summary.map((line) => line.details ?? '').join(' ')
    assert.match(details ?? '', /was canceled by request/, `${when}: ${name} failed without its reason`)
    return
  }
  assert.equal(properties?.provisioningState, 'Succeeded', `${when}: ${JSON.stringify(properties)}`)
  assert.equal(properties?.replicationStatus?.aggregatedState, 'Completed', `${when}: ${JSON.stringify(properties)}`)
  const summary = properties?.replicationStatus?.summary ?? []
  const disk = told.get(name)?.disk ?? 0
  const region = String(summary[pick(summary.length)]?.region)
  const access = await arm.call('POST', `${id}/beginGetAccess?api-version=2025-03-03`, {
    access: 'Read',
    durationInSeconds: 600,
    region,
  })
  assert.equal(access.status, 200, `${when}: ${JSON.stringify(access.body)}`)
  const download = await fetch((access.body.accessSAS ?? '').replace(server.env.endpoint, server.env.httpEndpoint))
  const hash = createHash('sha256')
  for await (const chunk of download.body ?? []) hash.update(chunk)
  assert.equal(hash.digest('hex'), hashes[disk], `${when}: ${name} in ${region} is not what went in`)
}

async function verifyAll(server: RunningGoldleaf, told: Map<string, Told>): Promise<void> {
  const arm = armCaller(server)
  for (const [name, version] of told) {
    if (version.state !== 'created') continue
    const id = `/subscriptions/${server.env.subscriptionId}/${definition}/versions/${name}`
    const started = await arm.call('POST', `${id}/verify?api-version=2025-03-03`, {})
    assert.equal(started.status, 202, JSON.stringify(started.body))
    const done = await arm.settle(started)
    assert.equal(done.status, 'Succeeded', JSON.stringify(done))
    const result = await arm.call('GET', started.headers.get('location') ?? '')
    for (const replica of result.body.replicas ?? [])
      assert.deepEqual(replica.lost, [], `${name} has lost frames in ${replica.region}`)
  }
}
