// `npm run quickstart [-- --once]`: from a fresh clone to a VM that boots the latest version in another region. It uses
// the product as a user would: the commands it runs are printed, so that they can be typed again.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'
import { formatBytes } from '../src/base/units.ts'
import { toolConfig } from './config.ts'
import { ensureSystemPackages, packageSets } from './system-packages.mjs'
import { buildTinyDisk, changeFileOnTinyDisk, greetingFile } from './tiny-disk.ts'

const { values: flags } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    data: { type: 'string', default: join(toolConfig.root, '.goldleaf', 'quickstart') },
    listen: { type: 'string' },
  },
})
// Ctrl-C may come at any moment, and more than once: the terminal, npm and hand-over.mjs each send it.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
const goldleaf = join(toolConfig.root, 'bin', 'goldleaf')
const group = 'quickstart'
const image = ['--resource-group', group, '--gallery', 'golden', '--definition', 'tiny']
const homeRegion = 'westeurope'
const bootRegion = 'northeurope'
const regions = [homeRegion, bootRegion, 'eastus']
const galleryApi = 'api-version=2025-03-03'
const bootTimeoutMs = 180_000

interface Transfer {
  readonly bytesRead: number
  readonly bytesNew: number
  readonly bytesSent: number
  readonly bytesStored: number
  readonly seconds?: number
}

interface ServerEnvironment {
  readonly httpEndpoint: string
  readonly endpoint: string
  readonly subscriptionId: string
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function heading(text: string): void {
  say(`\n${styleText('bold', text, { stream: process.stdout })}`)
}

/** As it can be typed into a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

/** Runs one goldleaf command with its output shown, and answers what it printed on stdout. */
async function run(args: readonly string[], options: { readonly quiet?: boolean } = {}): Promise<string> {
  stop.signal.throwIfAborted()
  const all = [...args, '--data', flags.data]
  if (!options.quiet) say(`$ npx goldleaf ${all.map(quote).join(' ')}`)
  const child = spawn(goldleaf, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  const end = (): void => void child.kill('SIGTERM')
  stop.signal.addEventListener('abort', end)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve)
    child.once('error', reject)
  })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const code = await ended
  stop.signal.removeEventListener('abort', end)
  stop.signal.throwIfAborted()
  if (code !== 0) throw new Error(`'goldleaf ${args.join(' ')}' ended with ${code}; its own message is above.`)
  return text.trim()
}

/** Whether a server could listen on the port; a moment later somebody else may. */
async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** --once must not collide with a server that runs already; otherwise the known ports are friendlier. */
async function chooseAddress(): Promise<string> {
  if (flags.listen !== undefined) return flags.listen
  const isWanted = !flags.once
  if (isWanted && (await isFree(8080)) && (await isFree(8081))) return '127.0.0.1:8080'
  if (isWanted) say('Port 8080 or 8081 is taken: the server gets free ones instead (--listen HOST:PORT chooses).')
  return '127.0.0.1:0'
}

/** Starts the server; resolves with its process when it says that it is ready. */
async function startServer(): Promise<ChildProcess> {
  mkdirSync(flags.data, { recursive: true })
  const listen = await chooseAddress()
  say(`$ npx goldleaf serve --data ${quote(flags.data)} --listen ${listen}`)
  const child = spawn(goldleaf, ['serve', '--data', flags.data, '--listen', listen, '--log-level', 'warn'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Ctrl-C goes to this process, which stops the server after the machines' last words.
    detached: true,
  })
  await new Promise<void>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('goldleaf ready')) {
        say(text.trim())
        resolve()
      }
    })
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}; its own message is above.`)))
  })
  return child
}

async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await ended
}

async function call(
  env: ServerEnvironment,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await fetch(env.httpEndpoint + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** What an earlier quickstart left in the same data folder would stand in the way of a first version 1.0.0. */
async function removeEarlierRun(env: ServerEnvironment, token: string): Promise<void> {
  const path = `${env.httpEndpoint}/subscriptions/${env.subscriptionId}/resourceGroups/${group}?api-version=2021-04-01`
  const headers = { authorization: `Bearer ${token}` }
  if ((await fetch(path, { headers })).status === 404) return
  say(`An earlier run left the resource group '${group}': deleting it first.`)
  await fetch(path, { method: 'DELETE', headers })
  while ((await fetch(path, { headers })).status !== 404) await sleep(250, undefined, { signal: stop.signal })
}

async function showCost(env: ServerEnvironment, token: string, version: string): Promise<void> {
  const path = `/subscriptions/${env.subscriptionId}/resourceGroups/${group}/providers/Microsoft.Compute/galleries/golden/images/tiny/versions/${version}?$expand=ReplicationStatus,Transfers&${galleryApi}`
  const shown = (await call(env, token, 'GET', path)) as {
    properties: { replicationStatus: { summary: { region: string; transfers: Transfer[] }[] } }
  }
  say(`  ${'region'.padEnd(14)}${['read', 'new', 'sent', 'kept', 'time'].map((h) => h.padStart(12)).join('')}`)
  for (const { region, transfers } of shown.properties.replicationStatus.summary)
    for (const t of transfers) {
      const bytes = [t.bytesRead, t.bytesNew, t.bytesSent, t.bytesStored]
        .map((n) => formatBytes(n).padStart(12))
        .join('')
      say(`  ${region.padEnd(14)}${bytes}${`${(t.seconds ?? 0).toFixed(2)} s`.padStart(12)}`)
    }
  say(`  (The push itself brought the bytes to ${homeRegion}: its figures are in the line above the table.)`)
}

async function showLatest(env: ServerEnvironment, token: string): Promise<void> {
  const path = `/subscriptions/${env.subscriptionId}/resourceGroups/${group}/providers/Microsoft.Compute/galleries/golden/images/tiny/resolveLatest?${galleryApi}`
  const latest = (await call(env, token, 'POST', path, { location: bootRegion })) as {
    latestVersionName: string
    passedOver: { name: string; reason: string }[]
  }
  const others = latest.passedOver.map(({ name, reason }) => `${name} is ${reason}`).join(', ')
  say(`In ${bootRegion}, latest is ${latest.latestVersionName} (${others}).`)
}

/** Prints what the guest says until its ready line; throws when it does not come. */
async function watchConsole(name: string): Promise<void> {
  const deadlineMs = Date.now() + bootTimeoutMs
  say(`$ npx goldleaf vm console ${name} --resource-group ${group} --data ${quote(flags.data)}`)
  for (;;) {
    const log = await run(['vm', 'console', name, '--resource-group', group], { quiet: true })
    const ready = /goldleaf-guest ready: .*/.exec(log)?.[0]
    if (ready) {
      say(styleText('green', ready, { stream: process.stdout }))
      return
    }
    if (Date.now() > deadlineMs)
      throw new Error(`the VM did not become ready in time. Its console said:\n${log.slice(-2000)}`)
    await sleep(500, undefined, { signal: stop.signal })
  }
}

async function road(): Promise<void> {
  const cacheDir = join(toolConfig.root, '.cache')
  const disk = join(cacheDir, 'quickstart.raw')
  const push = ['image', 'push', disk, ...image, '--regions', regions.join(',')]

  heading('1. A small bootable Linux disk (Debian kernel and busybox, cached)')
  const startMs = Date.now()
  await buildTinyDisk({ cacheDir, out: disk, content: 'hello from version 1.0.0' })
  say(`${disk} (${((Date.now() - startMs) / 1000).toFixed(1)} s)`)

  const env = JSON.parse(await run(['env', '--json'], { quiet: true })) as ServerEnvironment
  const token = await run(['token'], { quiet: true })
  await removeEarlierRun(env, token)

  heading('2. Publish it as version 1.0.0 to three regions')
  await run([...push, '--version', '1.0.0', '--create', '--os-state', 'Specialized'])
  await showCost(env, token, '1.0.0')

  heading('3. Change a file on the disk and publish 1.0.1: it costs what changed')
  await changeFileOnTinyDisk(disk, greetingFile, 'hello from version 1.0.1')
  await run([...push, '--version', '1.0.1'])
  await showCost(env, token, '1.0.1')

  heading('4. Which version is latest in a region that is not the source?')
  await showLatest(env, token)

  heading(`5. Boot a VM from latest in ${bootRegion}`)
  const vm = `vm-${Date.now().toString(36)}`
  await run([
    'vm',
    'create',
    vm,
    '--resource-group',
    group,
    '--gallery',
    'golden',
    '--definition',
    'tiny',
    '--location',
    bootRegion,
  ])
  await watchConsole(vm)

  heading('6. Talk to it with your own tools')
  say(`HTTPS ${env.endpoint}   HTTP ${env.httpEndpoint}`)
  say(await run(['env', '--shell'], { quiet: true }))
}

/** Until Ctrl-C; throws where the server ends by itself. */
async function untilStopped(server: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stop.signal.addEventListener('abort', () => resolve())
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}; its own message is above.`)))
    if (stop.signal.aborted) resolve()
  })
}

let server: ChildProcess | undefined
try {
  ensureSystemPackages([...packageSets.qemu, ...packageSets.diskBuilding])
  heading('0. The server (SQLite and local folders, three regions)')
  server = await startServer()
  await road()
  if (!flags.once) {
    say(
      `\nThe server is running. In another terminal, in this folder: eval "$(npx goldleaf env --data ${quote(flags.data)} --shell)"\nCtrl-C stops it.`,
    )
    await untilStopped(server)
  }
  await stopServer(server)
  say(flags.once ? '\nEverything is stopped (--once).' : '\nEverything is stopped. What was published is kept.')
} catch (error) {
  if (!stop.signal.aborted)
    process.stderr.write(`goldleaf: ${error instanceof Error ? error.message : String(error)}\n`)
  if (server) await stopServer(server)
  if (stop.signal.aborted) say('Stopped.')
  process.exit(stop.signal.aborted ? 130 : 1)
}
