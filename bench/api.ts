// `npm run bench:api`: requests per second and p99 of the metadata that clients ask for all day, beside OpenStack Glance
// (Debian's package, its default SQLite, one worker and no authentication) on the same machine in the same run; wrk drives
// both. Ours asks for a token and for the right to read every time.
import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { mapLimit } from '../src/base/map-limit.ts'
import { armCaller, startGoldleaf } from '../test/support/goldleaf.ts'
import type { RunningGoldleaf } from '../test/support/goldleaf.ts'
import { fixedVhd } from '../test/wire/vhd.ts'
import { versionBody } from '../test/wire/wire.ts'
import { ensureSystemPackages, packageSets } from '../tools/system-packages.mjs'

const { values: options } = parseArgs({
  options: { seconds: { type: 'string' }, versions: { type: 'string' }, json: { type: 'string' } },
})
const durationSeconds = Number(options.seconds ?? 5)
const many = Number(options.versions ?? 10_000)
const few = 10
/** Somebody else changes as many resources a second while the rows that say so are measured. */
const writesPerSecond = 20
/** So many of either are listed. */
const listed = 100
const connections = 8
const warmUpSeconds = 3
const apiVersion = 'api-version=2024-03-03'
const folder = mkdtempSync(join(tmpdir(), 'goldleaf-bench-api-'))
const glancePort = 19_292
const glance = `http://127.0.0.1:${glancePort}`

interface Measured {
  readonly perSecond: number
  readonly p99Ms: number
}

interface Load {
  /** Addresses asked in turn. */
  readonly urls: readonly string[]
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

const run = promisify(execFile)

/** Runs wrk; its script goes through the addresses in turn and counts what was not answered with 2xx. */
async function load({ urls, method = 'GET', body, headers = {} }: Load, seconds = durationSeconds): Promise<Measured> {
  const [first = ''] = urls
  const quote = (text: string): string => `[==[${text}]==]`
  const paths = urls.map((url) => quote(url.slice(new URL(url).origin.length)))
  const script = join(folder, 'load.lua')
  const headerLines = Object.entries(headers).map(([name, value]) => `[ ${quote(name)} ] = ${quote(value)}`)
  writeFileSync(
    script,
    `local paths = { ${paths.join(', ')} }
local headers = { ${headerLines.join(', ')} }
local at = 0
request = function() at = at % #paths + 1; return wrk.format(${quote(method)}, paths[at], headers, ${body === undefined ? 'nil' : quote(body)}) end
done = function(summary, latency)
  io.write(string.format('RESULT %d %f %f\\n', summary.errors.status + summary.errors.read + summary.errors.timeout, summary.requests / summary.duration * 1e6, latency:percentile(99) / 1000))
end
`,
  )
  const { stdout, stderr } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, first])
  const [, errors, perSecond, p99Ms] = /^RESULT (\d+) ([\d.]+) ([\d.]+)$/m.exec(stdout) ?? []
  if (errors !== '0') throw new Error(`wrk ${first}: ${errors ?? '?'} answers were not 2xx\n${stdout}${stderr}`)
  return { perSecond: Number(perSecond), p99Ms: Number(p99Ms) }
}

async function startGlance(): Promise<ChildProcess> {
  mkdirSync(join(folder, 'images'))
  const config = join(folder, 'glance.conf')
  writeFileSync(
    config,
    `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${glancePort}
workers = 1
log_file = ${folder}/glance.log
enabled_backends = local:file
[database]
connection = sqlite:///${folder}/glance.db
[glance_store]
default_backend = local
[local]
filesystem_store_datadir = ${folder}/images
[paste_deploy]
config_file = /etc/glance/glance-api-paste.ini
`,
  )
  const synced = spawnSync('glance-manage', ['--config-file', config, 'db_sync'], { encoding: 'utf8' })
  if (synced.status !== 0) throw new Error(`glance-manage db_sync failed: ${synced.stderr}`)
  const child = spawn('glance-api', ['--config-file', config], { stdio: 'ignore' })
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`${glance}/v2/images`).catch(() => undefined)
    if (answer?.ok) return child
    await sleep(200)
  }
  throw new Error(`glance-api did not come up: ${readFileSync(join(folder, 'glance.log'), 'utf8').slice(-2_000)}`)
}

/** `count` image records, as many versions of one name as Glance can tell apart; answers their ids. */
async function fillGlance(name: string, count: number): Promise<string[]> {
  return mapLimit([...Array(count).keys()], 4, async (index) => {
    const answer = await fetch(`${glance}/v2/images`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, container_format: 'bare', disk_format: 'raw', version: `1.0.${index}` }),
    })
    const { id } = (await answer.json()) as { id: string }
    return id
  })
}

/** A definition with `count` versions; the first from bytes, the others from it (no byte is copied). */
async function fillGoldleaf(server: RunningGoldleaf, name: string, count: number): Promise<string> {
  const arm = armCaller(server)
  const group = `/subscriptions/${server.env.subscriptionId}/resourceGroups/bench`
  const gallery = `${group}/providers/Microsoft.Compute/galleries/bench`
  const image = `${gallery}/images/${name}`
  await arm.must('PUT', `${group}?api-version=2021-04-01`, { location: 'westeurope' })
  await arm.must('PUT', `${gallery}?${apiVersion}`, { location: 'westeurope' })
  const identifier = { publisher: 'bench', offer: 'bench', sku: name }
  const properties = { osType: 'Linux', osState: 'Specialized', hyperVGeneration: 'V1', identifier }
  await arm.must('PUT', `${image}?${apiVersion}`, { location: 'westeurope', properties })
  const bytes = Buffer.alloc(1024 * 1024, 7)
  const uri = `${server.env.httpEndpoint}/blob/bench/disks/${name}`
  const authorization = `Bearer ${server.token}`
  await fetch(uri, {
    method: 'PUT',
    headers: { authorization, 'x-ms-blob-type': 'BlockBlob' },
    body: fixedVhd(bytes),
  })
  await arm.must('PUT', `${image}/versions/1.0.0?${apiVersion}`, versionBody(uri))
  const body = {
    location: 'westeurope',
    properties: {
      storageProfile: { source: { id: `${image}/versions/1.0.0` } },
      publishingProfile: { targetRegions: [{ name: 'West Europe' }] },
    },
  }
  let done = 1
  await mapLimit([...Array(count - 1).keys()], 6, async (index) => {
    await arm.must('PUT', `${image}/versions/1.0.${index + 1}?${apiVersion}`, body)
    done += 1
    if (done % 1000 === 0) process.stderr.write(`${name}: ${done} versions\n`)
  })
  return server.env.httpEndpoint + image
}

async function main(): Promise<void> {
  ensureSystemPackages([...packageSets.benchmarks])
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify({ limits: { imageVersions: 2 * (many + listed + few) } }))
  await using server = await startGoldleaf({ args: ['--config', config] })
  const small = await fillGoldleaf(server, 'few', few)
  const hundred = await fillGoldleaf(server, 'hundred', listed)
  const large = await fillGoldleaf(server, 'many', many)
  const peer = await startGlance()
  try {
    const ids = await fillGlance('hundred', listed)
    await fillGlance('many', Math.min(many, 1_000))
    await report(server, { few: small, hundred, many: large }, ids)
  } finally {
    peer.kill('SIGTERM')
  }
}

interface Row {
  readonly name: string
  readonly own: Load
  readonly theirs?: Load
  readonly withWrites?: boolean
}

type Images = Readonly<Record<'few' | 'hundred' | 'many', string>>

async function rowsOf(server: RunningGoldleaf, image: Images, ids: readonly string[]): Promise<readonly Row[]> {
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' }
  const versions = (base: string, count: number, from = 0): string[] =>
    [...Array(count - from).keys()].map((index) => `${base}/versions/1.0.${index + from}?${apiVersion}`)
  const page = (base: string): Load => ({ urls: [`${base}/versions?${apiVersion}`], headers })
  const latest = (base: string): Load => ({
    urls: [`${base}/resolveLatest?${apiVersion}`],
    method: 'POST',
    body: '{"location":"westeurope"}',
    headers,
  })
  const get = { urls: versions(image.hundred, listed), headers }
  const glanceImages = ids.map((id) => `${glance}/v2/images/${id}`)
  const glancePage = { urls: [`${glance}/v2/images?name=hundred&limit=50`] }
  // All but the first have the same body: they were made from it.
  const [, second = ''] = get.urls
  const before = (await (await fetch(second, { headers })).json()) as object
  const tagged = JSON.stringify({ ...before, tags: { a: 'b' } })
  return [
    { name: 'GET of a version', own: get, theirs: { urls: glanceImages } },
    { name: 'list of 100, a page of 50', own: page(image.hundred), theirs: glancePage },
    {
      name: 'PUT of a version’s tags',
      own: { urls: versions(image.hundred, listed, 1), method: 'PUT', body: tagged, headers },
      theirs: { urls: glanceImages.map((url) => `${url}/tags/a`), method: 'PUT' },
    },
    { name: `GET, ${writesPerSecond} writes/s beside`, own: get, withWrites: true },
    { name: `list, ${writesPerSecond} writes/s beside`, own: page(image.hundred), withWrites: true },
    { name: `latest among ${few}`, own: latest(image.few) },
    {
      name: `latest among ${many}`,
      own: latest(image.many),
      theirs: { urls: [`${glance}/v2/images?name=many&sort=created_at:desc&limit=1`] },
    },
    { name: `GET among ${few}`, own: { urls: versions(image.few, few), headers } },
    { name: `GET among ${many}`, own: { urls: versions(image.many, many), headers } },
    { name: `a page among ${listed}`, own: page(image.hundred) },
    { name: `a page among ${many}`, own: page(image.many) },
  ]
}

/** Changes the tags of a group until it is told to stop. */
async function keepWriting(server: RunningGoldleaf, signal: AbortSignal): Promise<void> {
  const arm = armCaller(server)
  const group = `/subscriptions/${server.env.subscriptionId}/resourceGroups/beside?api-version=2021-04-01`
  for (let at = 0; !signal.aborted; at++) {
    await arm.must('PUT', group, { location: 'westeurope', tags: { at: String(at) } })
    await sleep(1_000 / writesPerSecond)
  }
}

async function measure(server: RunningGoldleaf, { own, theirs, withWrites = false }: Row) {
  const stop = new AbortController()
  const writing = withWrites ? keepWriting(server, stop.signal) : undefined
  // By then the code that answers is compiled, and each resource was asked for once.
  await load(own, warmUpSeconds)
  const goldleaf = await load(own)
  stop.abort()
  await writing
  return { goldleaf, glance: theirs && (await load(theirs)) }
}

async function report(server: RunningGoldleaf, image: Images, ids: readonly string[]): Promise<void> {
  const results: Record<string, Awaited<ReturnType<typeof measure>>> = {}
  for (const row of await rowsOf(server, image, ids)) {
    const result = await measure(server, row)
    const { goldleaf, glance: peer } = result
    results[row.name] = result
    const ratio = peer && (goldleaf.perSecond / peer.perSecond).toFixed(1)
    const beside = peer && `  Glance ${peer.perSecond.toFixed(0)}/s, p99 ${peer.p99Ms.toFixed(1)} ms: ${ratio} times`
    process.stdout.write(
      `${row.name.padEnd(30)} ${goldleaf.perSecond.toFixed(0).padStart(7)}/s  p99 ${goldleaf.p99Ms.toFixed(1).padStart(6)} ms${beside ?? ''}\n`,
    )
  }
  const p99Of = (name: string): number => results[name]?.goldleaf.p99Ms ?? Number.NaN
  for (const [what, small] of [
    ['latest', few],
    ['GET', few],
    ['a page', listed],
  ] as const) {
    const ratio = p99Of(`${what} among ${many}`) / p99Of(`${what} among ${small}`)
    process.stdout.write(`p99 of ${what} among ${many}: ${ratio.toFixed(2)} times that among ${small}\n`)
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
