// `npm run test:clients [-- NAME…]`: the real clients (az in two versions, Python, Go, two JavaScript SDKs) against servers
// of their own. Installs the clients first: Debian's packages, and a Debian 13 in a folder for its newer az.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { toolConfig } from './config.ts'
import { ensureSystemPackages, packageSets, searchPath } from './system-packages.mjs'

const chroot = join(toolConfig.root, '.cache/chroots/trixie')
const mirror = 'http://deb.debian.org/debian'

/** Half a Debian is no Debian: it is laid down anew when its az is not there. */
function ensureNewerAz(): void {
  if (existsSync(join(chroot, 'usr/bin/az'))) return
  process.stderr.write(`goldleaf: laying Debian 13 with its az into ${chroot} (about 130 MB to download)\n`)
  rmSync(chroot, { recursive: true, force: true })
  mkdirSync(chroot, { recursive: true })
  const install = 'apt-get update -q && apt-get install -qy --no-install-recommends azure-cli && apt-get clean'
  execute('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'trixie', chroot, mirror])
  execute('chroot', [chroot, 'sh', '-c', install])
}

function execute(command: string, args: readonly string[]): void {
  const asRoot = process.getuid?.() === 0
  const [program, all] = asRoot ? [command, args] : ['sudo', ['-n', command, ...args]]
  const env = { ...toolConfig.environment, PATH: searchPath.join(':'), DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync(program, all, { env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0)
    throw new Error(`${command} ${args[0] ?? ''} failed:\n${stdout.slice(-2_000)}${stderr.slice(-2_000)}`)
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
  process.stderr.write(`goldleaf: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
const done = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=1200000', '--test-reporter=spec', ...suites],
  {
    cwd: toolConfig.root,
    stdio: 'inherit',
    env: {
      ...toolConfig.environment,
      PATH: [join(toolConfig.root, 'node_modules/.bin'), ...toolConfig.path].join(':'),
    },
  },
)
process.exit(done.status ?? 1)
