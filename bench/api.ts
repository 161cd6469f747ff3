// `npm run bench:api`: requests per second and p99 of the metadata that clients ask for all day, beside OpenStack Glance
// (Debian's package, its default SQLite and no authentication) on the same machine in the same run; wrk drives both.
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
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
/** So many of either are listed. */
const listed = 100
const connections = 8
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

/** Runs wrk; its script goes through the addresses in turn and counts what was not answered with 2xx. */
function load({ urls, method = 'GET', body, headers = {} }: Load): Measured {
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
  const args = ['-t1', `-c${connections}`, `-d${durationSeconds}s`, '-s', script, first]
  const { stdout, stderr } = spawnSync('wrk', args, { encoding: 'utf8' })
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
  await using server = await startGoldleaf()
  const small = await fillGoldleaf(server, 'few', few)
  const hundred = await fillGoldleaf(server, 'hundred', listed)
  const large = await fillGoldleaf(server, 'many', many)
  const peer = await startGlance()
  try {
    const ids = await fillGlance('hundred', listed)
    await fillGlance('many', Math.min(many, 1_000))
    report(server, { small, hundred, large }, ids)
  } finally {
    peer.kill('SIGTERM')
  }
}

function report(
  server: RunningGoldleaf,
  image: Readonly<Record<'small' | 'hundred' | 'large', string>>,
  ids: string[],
): void {
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' }
  const versions = (base: string, count: number): string[] =>
    [...Array(count).keys()].map((index) => `${base}/versions/1.0.${index}?${apiVersion}`)
  const latest = (base: string): Load => ({
    urls: [`${base}/resolveLatest?${apiVersion}`],
    method: 'POST',
    body: '{"location":"westeurope"}',
    headers,
  })
  const glanceImages = ids.map((id) => `${glance}/v2/images/${id}`)
  const rows: readonly (readonly [string, Load, Load | undefined])[] = [
    ['GET of a version', { urls: versions(image.hundred, listed), headers }, { urls: glanceImages }],
    [
      `list of ${listed} (a page)`,
      { urls: [`${image.hundred}/versions?${apiVersion}`], headers },
      { urls: [`${glance}/v2/images?name=hundred&limit=50`] },
    ],
    [
      'PATCH of a version’s tags',
      // Over all of them: a version that is being updated refuses the next PATCH until it is done.
      { urls: versions(image.large, many), method: 'PATCH', body: '{"tags":{"a":"b"}}', headers },
      { urls: glanceImages.map((url) => `${url}/tags/a`), method: 'PUT' },
    ],
    [`latest among ${few}`, latest(image.small), undefined],
    [
      `latest among ${many}`,
      latest(image.large),
      { urls: [`${glance}/v2/images?name=many&sort=created_at:desc&limit=1`] },
    ],
    [`GET of a version among ${few}`, { urls: versions(image.small, few), headers }, undefined],
    [`GET of a version among ${many}`, { urls: versions(image.large, many), headers }, undefined],
    [`first page of a list of ${few}`, { urls: [`${image.small}/versions?${apiVersion}`], headers }, undefined],
    [`first page of a list of ${many}`, { urls: [`${image.large}/versions?${apiVersion}`], headers }, undefined],
  ]
  const results: Record<string, { goldleaf: Measured; glance: Measured | undefined }> = {}
  for (const [name, own, theirs] of rows) {
    const goldleaf = load(own)
    const measured = theirs && load(theirs)
    results[name] = { goldleaf, glance: measured }
    const beside =
      measured === undefined
        ? ''
        : `  Glance ${measured.perSecond.toFixed(0)}/s, p99 ${measured.p99Ms.toFixed(1)} ms: ${(goldleaf.perSecond / measured.perSecond).toFixed(1)} times`
    process.stdout.write(
      `${name.padEnd(36)} ${goldleaf.perSecond.toFixed(0).padStart(7)}/s  p99 ${goldleaf.p99Ms.toFixed(1).padStart(6)} ms${beside}\n`,
    )
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
