// `npm run test:clients [-- NAME…]`: the real clients (az in two versions, Python, Go, two JavaScript SDKs) against servers
// of their own. Installs the clients first: Debian's packages, and a Debian 13 in a folder for its newer az.
// What ran becomes docs/clients and the table of docs/compatibility.md; in CI it must be what stands there.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { clientsFolder, compatibilityFile, inStep } from './compatibility.ts'
import { toolConfig } from './config.ts'
import { ensureSystemPackages, packageSets, searchPath } from './system-packages.mjs'

const chroot = join(toolConfig.root, '.cache/chroots/trixie')
const mirror = 'http://deb.debian.org/debian'
const say = (text: string): void => void process.stderr.write(`goldleaf: ${text}\n`)

/** A Debian 13 with its az. Laid beside its place and moved there when it is whole: half a Debian is none. */
function ensureNewerAz(): void {
  if (process.getuid?.() !== 0)
    throw new Error(
      'the newer az lives in a Debian 13 of its own, and only root can enter that. Run this as root, or name the suites ' +
        'that need no root: npm run test:clients -- az-2.45 sdk',
    )
  if (!existsSync(join(chroot, 'usr/bin/az'))) {
    say(`laying Debian 13 with its az into ${chroot} (about 130 MB to download, 2 GB of disk, some minutes)`)
    const fresh = `${chroot}.new`
    for (const folder of [fresh, chroot]) rmSync(folder, { recursive: true, force: true })
    mkdirSync(fresh, { recursive: true })
    const install = 'apt-get update -q && apt-get install -qy --no-install-recommends azure-cli && apt-get clean'
    execute('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'trixie', fresh, mirror])
    execute('chroot', [fresh, 'sh', '-c', install])
    renameSync(fresh, chroot)
  }
  const enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" az version'
  try {
    execute('unshare', ['-m', 'sh', '-c', enter, chroot])
  } catch (error) {
    throw new Error(`${chroot} cannot be entered: in a container it takes the right to mount (CAP_SYS_ADMIN).`, {
      cause: error,
    })
  }
}

function execute(command: string, args: readonly string[]): void {
  const env = { ...toolConfig.environment, PATH: searchPath.join(':'), DEBIAN_FRONTEND: 'noninteractive' }
  const options = { env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status === 0) return
  throw new Error(
    `${command} ${args[0] ?? ''} failed: ${error?.message ?? `${stdout.slice(-2_000)}${stderr.slice(-2_000)}`}`,
  )
}

const names = process.argv.slice(2)
const suites = globSync('test/clients/*.suite.ts', { cwd: toolConfig.root })
  .toSorted()
  .filter((path) => names.length === 0 || names.some((name) => basename(path).startsWith(name)))
try {
  if (suites.length === 0) throw new Error(`no suite is called ${names.join(', ')}`)
  ensureSystemPackages([...packageSets.qemu, ...packageSets.testing, ...packageSets.clients])
  if (suites.some((path) => path.includes('az-2.74'))) ensureNewerAz()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

const scratch = mkdtempSync(join(tmpdir(), 'goldleaf-clients-'))
const [traffic, reports] = [join(scratch, 'traffic'), join(scratch, 'reports')]
for (const folder of [traffic, reports]) mkdirSync(folder)
const run = (...args: readonly string[]): number => {
  const env = {
    ...toolConfig.environment,
    GOLDLEAF_TRAFFIC: traffic,
    GOLDLEAF_CLIENT_REPORTS: reports,
    PATH: [join(toolConfig.root, 'node_modules/.bin'), ...toolConfig.path].join(':'),
  }
  const options = { cwd: toolConfig.root, stdio: 'inherit', env } as const
  return spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...args], options).status ?? 1
}
const ran = run('--test-concurrency=2', '--test-timeout=3000000', ...suites)
const published = run('test/openapi/published-contract.check.ts')
const inDocs = keepReports()
rmSync(scratch, { recursive: true, force: true })
process.exit(ran || published || inDocs)

/** By hand: what ran goes into the docs. In CI: it must stand there already, and nothing is written. */
function keepReports(): number {
  const stale = globSync('*.json', { cwd: reports }).filter((name) => {
    const kept = join(clientsFolder, name)
    return !existsSync(kept) || readFileSync(kept, 'utf8') !== readFileSync(join(reports, name), 'utf8')
  })
  if (stale.length === 0) return 0
  if (!toolConfig.isCi) {
    for (const name of stale) writeFileSync(join(clientsFolder, name), readFileSync(join(reports, name)))
    writeFileSync(compatibilityFile, inStep(readFileSync(compatibilityFile, 'utf8')))
    say(`what ran differs from before: docs/compatibility.md and docs/clients/${stale.join(', ')} are written anew`)
    return 0
  }
  say(`docs/clients/${stale.join(', ')} does not say what ran: run 'npm run test:clients' and commit docs/. What ran:`)
  for (const name of stale) process.stderr.write(readFileSync(join(reports, name)))
  return 1
}
