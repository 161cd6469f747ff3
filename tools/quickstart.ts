// `npm run quickstart [-- --once]`: from a fresh clone to a VM that boots the latest version in another region. It uses
// the product as a user would: the commands it runs are printed, so that they can be typed again.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { formatBytes } from '../src/base/units.ts'
import { toolConfig } from './config.ts'
import { ensureSystemPackages, packageSets } from './system-packages.ts'
import { buildTinyDisk, changeFileOnTinyDisk, greetingFile } from './tiny-disk.ts'

const { values: flags } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    data: { type: 'string', default: join(toolConfig.root, '.goldleaf', 'quickstart') },
    listen: { type: 'string' },
  },
})
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
  say(`\n\u001B[1m${text}\u001B[0m`)
}

/** Runs one goldleaf command with its output shown, and answers what it printed on stdout. */
async function run(args: readonly string[], options: { readonly quiet?: boolean } = {}): Promise<string> {
  if (!options.quiet) say(`$ goldleaf ${args.join(' ')}`)
  const child = spawn(goldleaf, [...args, '--data', flags.data], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('exit', resolve)))
  if (code !== 0) throw new Error(`'goldleaf ${args.join(' ')}' ended with ${code}; its own message is above.`)
  return text.trim()
}

/** Starts the server; resolves with its process when it says that it is ready. */
async function startServer(): Promise<ChildProcess> {
  mkdirSync(flags.data, { recursive: true })
  // --once must not collide with a server that runs already; otherwise the known ports are friendlier.
  const listen = flags.listen ?? (flags.once ? '127.0.0.1:0' : '127.0.0.1:8080')
  say(`$ goldleaf serve --data ${flags.data} --listen ${listen}`)
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
  while ((await fetch(path, { headers })).status !== 404) await sleep(250)
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
  say(`$ goldleaf vm console ${name} --resource-group ${group}`)
  for (;;) {
    const log = await run(['vm', 'console', name, '--resource-group', group], { quiet: true })
    const ready = /goldleaf-guest ready: .*/.exec(log)?.[0]
    if (ready) {
      say(`\u001B[32m${ready}\u001B[0m`)
      return
    }
    if (Date.now() > deadlineMs)
      throw new Error(`the VM did not become ready in time. Its console said:\n${log.slice(-2000)}`)
    await sleep(500)
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

let server: ChildProcess | undefined
try {
  ensureSystemPackages([...packageSets.qemu, ...packageSets.diskBuilding])
  heading('0. The server (SQLite and local folders, three regions)')
  server = await startServer()
  await road()
  if (flags.once) {
    await stopServer(server)
    say('\nEverything is stopped (--once).')
  } else {
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      server?.once('exit', () => resolve())
    })
    say(
      '\nThe server is running. In another terminal: eval "$(npx goldleaf env --data ' +
        flags.data +
        ' --shell)". Ctrl-C stops it.',
    )
    await stopped
    await stopServer(server)
  }
} catch (error) {
  process.stderr.write(`goldleaf: ${error instanceof Error ? error.message : String(error)}\n`)
  if (server) await stopServer(server)
  process.exit(1)
}
