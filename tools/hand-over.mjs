// @ts-check
// Brings node_modules into step with the lockfile, which also brings the Node 26 that everything else needs (a locked
// dependency, no download of ours), and hands over to it. Runs on a stock Node (>= 18: Debian 12 has that).
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureStarts, packageSets } from './system-packages.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(root, 'node_modules')
const stampFile = join(modules, '.goldleaf-lock')
const node = join(modules, '.bin', 'node')
// npm scripts have node_modules/.bin in front. npm must not run on the Node 26 there: it may lack a library yet, and
// `npm ci` would take it away under its own feet.
const ownPath = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.endsWith('/node_modules/.bin'))
  .join(':')

const [script, ...args] = process.argv.slice(2)

/** @type {(message: string) => never} */
function fail(message) {
  process.stderr.write(`goldleaf: ${message}\n`)
  process.exit(1)
}

/** @returns {string} changes whenever what `npm ci` would install changes. */
function lockStamp() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

function installDependencies() {
  const stamp = lockStamp()
  if (existsSync(node) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  process.stderr.write('goldleaf: installing the packages of package-lock.json (npm ci), Node 26 among them\n')
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: ownPath },
  })
  if (done.error) fail(`npm could not be started (${done.error.message}). Install npm and try again.`)
  if (done.status !== 0)
    fail(
      "npm could not install the packages; its own message is above. Check the network and npm's registry " +
        "('npm ping' asks it), then start again.",
    )
  // Debian 12's npm (9.2) makes no link to a program that is called like the one it runs on.
  const own = join('..', `node-linux-${process.arch}`, 'bin', 'node')
  if (!existsSync(node) && existsSync(join(modules, '.bin', own))) symlinkSync(own, node)
  if (!existsSync(node))
    fail(`there is no Node 26 for ${process.platform}-${process.arch} here: Linux on x64 or arm64 is needed.`)
  writeFileSync(stampFile, stamp)
}

/** npx runs what it finds in node_modules/.bin: this makes `npx goldleaf ...` work inside the repository. */
function linkCommand() {
  const link = join(modules, '.bin', 'goldleaf')
  try {
    lstatSync(link)
  } catch {
    symlinkSync(join('..', '..', 'bin', 'goldleaf'), link)
  }
}

const { qemu, diskBuilding, testing } = packageSets
/** @type {Readonly<Record<string, typeof qemu>>} */
const neededBy = {
  'tools/quickstart.ts': [...qemu, ...diskBuilding],
  'tools/test.ts': [...qemu, ...diskBuilding, ...testing],
  'tools/check.ts': [...qemu, ...diskBuilding, ...testing],
}

function prepare() {
  installDependencies()
  linkCommand()
  try {
    ensureStarts(node, neededBy[script ?? ''] ?? [])
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error))
  }
}

/** @type {(script: string, args: readonly string[]) => void} */
function handOver(script, args) {
  const child = spawn(node, [join(root, script), ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env['PATH']}` },
  })
  /** @type {readonly NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Node 26 could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal ? 128 : (code ?? 1)))
}

prepare()
if (script !== undefined) handOver(script, args)
