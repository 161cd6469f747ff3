// @ts-check
// Debian and Ubuntu packages that npm cannot bring. Plain JavaScript: tools/with-node26.mjs needs it on a stock Node,
// before there is a Node 26 that runs.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A package, and the file or command that shows it is there.
 * @typedef {{ readonly name: string, readonly shows: string, readonly why: string }} SystemPackage
 */

/** /usr/sbin holds mkfs.vfat and sfdisk and is not on every user's PATH. */
export const searchPath = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']

/** @type {Readonly<Record<'qemu' | 'diskBuilding' | 'testing' | 'benchmarks' | 'clients', readonly SystemPackage[]>>} */
export const packageSets = {
  qemu: [
    { name: 'qemu-system-x86', shows: 'qemu-system-x86_64', why: 'runs the virtual machines' },
    { name: 'qemu-utils', shows: 'qemu-img', why: 'compares disk images in tests and benchmarks' },
  ],
  diskBuilding: [
    { name: 'busybox-static', shows: 'busybox', why: 'user space of the demonstration disk' },
    { name: 'syslinux', shows: 'syslinux', why: 'boot loader of the demonstration disk' },
    { name: 'syslinux-common', shows: '/usr/lib/syslinux/mbr/mbr.bin', why: 'boot sector of the demonstration disk' },
    { name: 'mtools', shows: 'mcopy', why: 'writes files into the demonstration disk without root' },
    { name: 'dosfstools', shows: 'mkfs.vfat', why: 'makes the file system of the demonstration disk' },
    { name: 'fdisk', shows: 'sfdisk', why: 'partitions the demonstration disk' },
    { name: 'cpio', shows: 'cpio', why: 'packs the initramfs of the demonstration disk' },
    { name: 'xz-utils', shows: 'xz', why: 'unpacks kernel modules' },
  ],
  testing: [
    { name: 'curl', shows: 'curl', why: 'checks in tests what an ordinary client makes of the server' },
    { name: 'openssl', shows: 'openssl', why: 'checks certificates in tests' },
  ],
  benchmarks: [
    { name: 'wrk', shows: 'wrk', why: 'drives both servers of the API benchmark' },
    { name: 'glance', shows: 'glance-api', why: 'the peer of the API benchmark' },
  ],
  clients: [
    { name: 'azure-cli', shows: '/usr/bin/az', why: 'the real az of Debian, taken for a walk' },
    { name: 'python3-azure', shows: '/usr/lib/python3/dist-packages/azure/mgmt/compute', why: 'the Python SDK' },
    { name: 'golang-go', shows: 'go', why: 'compiles the walk of the Go SDK' },
    {
      name: 'golang-github-azure-azure-sdk-for-go-dev',
      shows: '/usr/share/gocode/src/github.com/Azure/azure-sdk-for-go',
      why: 'the Go SDK',
    },
    { name: 'debootstrap', shows: 'debootstrap', why: 'lays a newer Debian into a folder, for its newer az' },
  ],
}

/** What Node 26 is linked with and a minimal system may lack, by the name that the loader complains about. */
const libraries = [
  { name: 'libatomic1', file: 'libatomic.so.1' },
  { name: 'libstdc++6', file: 'libstdc++.so.6' },
]

const aptFolder = '/var/lib/apt/lists'
const freshListsMs = 3_600_000

/** @type {(text: string) => void} */
const say = (text) => void process.stderr.write(`goldleaf: ${text}\n`)

/** @type {(shows: string) => boolean} */
function isPresent(shows) {
  if (shows.startsWith('/')) return existsSync(shows)
  return searchPath.some((folder) => {
    try {
      accessSync(join(folder, shows), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @type {() => boolean} */
function hasLists() {
  try {
    return readdirSync(aptFolder).some((name) => name.includes('_Packages'))
  } catch {
    return false
  }
}

/** Stale lists name files that are gone. */
function hasFreshLists() {
  return hasLists() && Date.now() - statSync(aptFolder).mtimeMs < freshListsMs
}

/**
 * With sudo where not root. sudo clears the environment, and Ubuntu's needrestart would ask questions that nobody sees.
 * @type {(args: readonly string[]) => boolean}
 */
function runAsRoot(args) {
  const asked = ['env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_MODE=l', ...args]
  const [program = '', ...rest] = isRoot() ? asked : ['sudo', ...asked]
  return spawnSync(program, rest, { stdio: ['inherit', 'ignore', 'inherit'] }).status === 0
}

function isRoot() {
  return process.getuid?.() === 0
}

function canBeRoot() {
  return isRoot() || isPresent('sudo')
}

function updateLists() {
  say(`running: ${isRoot() ? '' : 'sudo '}apt-get update`)
  // Somebody's broken extra source must not stand in the way: what counts is whether the install works.
  runAsRoot(['apt-get', 'update'])
}

/**
 * Installs by apt, and says what and why; with sudo where not root. Throws with the exact command to run where it
 * cannot.
 * @param {readonly Omit<SystemPackage, 'shows'>[]} missing
 */
function install(missing) {
  for (const { name, why } of missing) say(`missing ${name} (${why})`)
  const names = missing.map(({ name }) => name)
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', ...names]
  const sudo = isRoot() ? '' : 'sudo '
  const byHand = `${sudo}apt-get update && ${sudo}${command.join(' ')}`
  if (!isPresent('apt-get'))
    throw new Error(`This is not Debian or Ubuntu: install what gives these and try again: ${names.join(', ')}`)
  if (!canBeRoot())
    throw new Error(
      `These packages are missing, and this user (not root, no sudo) cannot install them. Ask an administrator to run\n` +
        `  apt-get update && ${command.join(' ')}\nand start again.`,
    )
  if (!hasFreshLists()) updateLists()
  say(`running: ${sudo}${command.join(' ')}   (this may take some minutes)`)
  // A machine that has just been started is often still upgrading itself.
  const [program = '', ...rest] = command
  if (!runAsRoot([program, '-o', 'DPkg::Lock::Timeout=300', ...rest]))
    throw new Error(
      `apt-get could not install the missing packages; its own message is above. Check the network and apt's sources, or run\n  ${byHand}\nand start again.`,
    )
}

/**
 * Installs what is missing of the packages. Throws with the exact command to run where it cannot.
 * @param {readonly SystemPackage[]} packages
 */
export function ensureSystemPackages(packages) {
  const missing = packages.filter(({ shows }) => !isPresent(shows))
  if (missing.length === 0) {
    // The demonstration disk's kernel is looked up in them too; images for containers come without any.
    if (!hasLists() && isPresent('apt-get') && canBeRoot()) updateLists()
    return
  }
  install(missing)
  const still = missing.filter(({ shows }) => !isPresent(shows)).map(({ shows }) => shows)
  if (still.length > 0) throw new Error(`Installed, but not found on the PATH: ${still.join(', ')}. Add their folders.`)
}

/**
 * Installs the shared libraries that a program needs to start at all: NodeSource's and Debian's own Node have no use
 * for libatomic1, Node 26 has. Throws where it does not start for another reason.
 * @param {string} program
 * @param {readonly SystemPackage[]} alsoNeeded what will be asked for next: one question to the administrator, not two
 */
export function ensureStarts(program, alsoNeeded) {
  const start = () => spawnSync(program, ['--version'], { encoding: 'utf8' })
  /** @type {Set<string>} */
  const installed = new Set()
  for (let tried = start(); tried.status !== 0; tried = start()) {
    const found = libraries.find(({ file }) => tried.stderr?.includes(`${file}: cannot open shared object file`))
    if (found === undefined || installed.has(found.name))
      throw new Error(`${program} does not start: ${tried.error?.message ?? tried.stderr.trim()}`)
    const also = alsoNeeded.filter(({ shows }) => !isPresent(shows))
    install([{ name: found.name, why: `${found.file}, which Node 26 is linked with` }, ...also])
    installed.add(found.name)
  }
}
