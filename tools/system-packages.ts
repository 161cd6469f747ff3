import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { toolConfig } from './config.ts'

/** A Debian/Ubuntu package, and the file or command that shows it is there. */
interface SystemPackage {
  readonly name: string
  readonly shows: string
  readonly why: string
}

const qemu: readonly SystemPackage[] = [
  { name: 'qemu-system-x86', shows: 'qemu-system-x86_64', why: 'runs the virtual machines' },
  { name: 'qemu-utils', shows: 'qemu-img', why: 'compares disk images in tests and benchmarks' },
]

const diskBuilding: readonly SystemPackage[] = [
  { name: 'busybox-static', shows: 'busybox', why: 'user space of the demonstration disk' },
  { name: 'syslinux', shows: 'syslinux', why: 'boot loader of the demonstration disk' },
  { name: 'syslinux-common', shows: '/usr/lib/syslinux/mbr/mbr.bin', why: 'boot sector of the demonstration disk' },
  { name: 'mtools', shows: 'mcopy', why: 'writes files into the demonstration disk without root' },
  { name: 'dosfstools', shows: 'mkfs.vfat', why: 'makes the file system of the demonstration disk' },
  { name: 'fdisk', shows: 'sfdisk', why: 'partitions the demonstration disk' },
  { name: 'cpio', shows: 'cpio', why: 'packs the initramfs of the demonstration disk' },
  { name: 'xz-utils', shows: 'xz', why: 'unpacks kernel modules' },
]

export const packageSets = { qemu, diskBuilding }

function isPresent(shows: string): boolean {
  if (shows.startsWith('/')) return existsSync(shows)
  return toolConfig.path.some((folder) => {
    try {
      accessSync(join(folder, shows), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Installs by apt what is missing, and says what and why; with sudo where not root. Throws with the exact command to
 * run where it cannot.
 */
export function ensureSystemPackages(packages: readonly SystemPackage[]): void {
  const missing = packages.filter((p) => !isPresent(p.shows))
  if (missing.length === 0) return
  const names = missing.map((p) => p.name)
  for (const p of missing) process.stderr.write(`goldleaf: missing ${p.name} (${p.why})\n`)
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`
  if (!isPresent('apt-get'))
    throw new Error(`This is not Debian or Ubuntu: install what gives these and try again: ${names.join(', ')}`)
  const isRoot = process.getuid?.() === 0
  if (!isRoot && !isPresent('sudo')) throw new Error(`Not root and no sudo. Ask an administrator to run: ${command}`)
  process.stderr.write(`goldleaf: installing: ${command}\n`)
  const run = (args: readonly string[]): boolean => {
    const all = isRoot ? [...args] : ['sudo', ...args]
    const [program = '', ...rest] = all
    const env = { ...toolConfig.environment, DEBIAN_FRONTEND: 'noninteractive' }
    const done = spawnSync(program, rest, { stdio: ['inherit', 'pipe', 'inherit'], env })
    return done.status === 0
  }
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...names]
  // A fresh machine has no package lists; a stale one has lists that name vanished files. One update cures both.
  if (!(run(['apt-get', 'update']) && run(install)))
    throw new Error(`apt-get failed (see above). Run by hand: ${command}`)
  const still = missing.filter((p) => !isPresent(p.shows))
  if (still.length > 0) throw new Error(`Installed, but not found on the PATH: ${still.map((p) => p.shows).join(', ')}`)
}
