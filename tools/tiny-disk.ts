// The smallest Linux disk that really boots, made without root from the distribution's own packages (STACK section 13).
// Usage: node tools/tiny-disk.ts OUT.raw [--greeting TEXT] [--size-mib N] [--cache DIR]
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { constants as zlibConstants, gzip } from 'node:zlib'
import { toolConfig } from './config.ts'
import { findKernel, type Kernel } from './tiny-disk-kernel.ts'
import { newcArchive, type ArchiveMember } from './newc-archive.ts'

export interface TinyDiskOptions {
  /** Where the kernel (by version) and the initramfs are kept between runs. Default: `.cache` in the repository. */
  readonly cacheDir?: string | undefined
  /** Where the raw disk goes; replaced if it exists. */
  readonly out: string
  /** Virtual size, 40 to 2,000,000. The file system takes at most 1 GiB of it, the rest stays empty. Default 48. */
  readonly sizeMiB?: number | undefined
  /** What the guest says after `goldleaf-guest ready: `, one line of text. */
  readonly content?: string | undefined
}

export interface TinyDisk {
  readonly path: string
  readonly sizeBytes: number
  readonly kernelVersion: string
  /** Whether the guest can use a virtio network card: false with a kernel of an older cache. */
  readonly hasNetwork: boolean
}

/** The file on the disk that the guest reads its greeting from. */
export const greetingFile = 'GREETING.TXT'
const defaultGreeting = 'hello from Goldleaf'
const partitionOffsetBytes = 1024 * 1024
const run = promisify(execFile)
const compress = promisify(gzip)

/** Command or file -> the Debian/Ubuntu package that brings it. */
const needed = {
  busybox: 'busybox-static',
  syslinux: 'syslinux',
  '/usr/lib/syslinux/mbr/mbr.bin': 'syslinux-common',
  mcopy: 'mtools',
  'mkfs.vfat': 'dosfstools',
  sfdisk: 'fdisk',
  'dpkg-deb': 'dpkg',
  'apt-get': 'apt',
}

/**
 * Builds a raw disk that boots by BIOS from a virtio or IDE disk and prints on the first serial port, in this order:
 * `goldleaf-guest boot N` (N is counted on the disk, so it shows whether writes last), `goldleaf-guest disks: vda=SECTORS …`
 * and `goldleaf-guest ready: CONTENT`; `goldleaf-guest disks now: …` when disks come or go. Addresses in a file ASK.TXT on it are fetched first, with the header Metadata: true
 * (`goldleaf-guest answer: … (ADDRESS)`), those with & before them at the same time. Needs about 96 MiB of memory; powers off on the ACPI power button.
 * The first run downloads a kernel package (27 MB); later runs take under a second. Throws naming the apt package that
 * is missing, or why this machine cannot build it.
 */
export async function buildTinyDisk(options: TinyDiskOptions): Promise<TinyDisk> {
  if (process.arch !== 'x64')
    throw new Error(`The demonstration disk can only be built on x86-64 for now; this machine is ${process.arch}.`)
  checkTools()
  const sizeMiB = options.sizeMiB ?? 48
  if (!Number.isInteger(sizeMiB) || sizeMiB < 40 || sizeMiB > 2_000_000)
    throw new Error(`The disk's size must be a whole number of MiB from 40 to 2000000, not ${options.sizeMiB}.`)
  const out = resolve(options.out)
  const cacheDir = resolve(options.cacheDir ?? join(toolConfig.root, '.cache'), 'tiny-disk')
  const kernel = await findKernel(cacheDir)
  const initramfs = await cachedInitramfs(kernel)
  await mkdir(dirname(out), { recursive: true })
  const scratch = await mkdtemp(join(dirname(out), '.tiny-disk-'))
  try {
    const disk = join(scratch, 'disk.raw')
    await writeDisk(disk, sizeMiB, { scratch, kernel, initramfs, greeting: options.content ?? defaultGreeting })
    await rename(disk, out)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return {
    path: out,
    sizeBytes: sizeMiB * 1024 * 1024,
    kernelVersion: kernel.version,
    hasNetwork: kernel.modules.includes('virtio_net'),
  }
}

/**
 * Replaces a file in the root folder of the disk's file system, e.g. `greetingFile`; `name` in 8.3 form. The raw disk
 * must not be in use.
 */
export async function changeFileOnTinyDisk(path: string, name: string, content: string | Uint8Array): Promise<void> {
  if (!/^[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?$/.test(name))
    throw new Error(`'${name}' is not a file name in 8.3 form (capitals, digits, _).`)
  const scratch = await mkdtemp(join(dirname(resolve(path)), '.tiny-disk-'))
  try {
    const file = join(scratch, name)
    await writeFile(file, content)
    await copyIn(path, file, name)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function checkTools(): void {
  const missing = Object.entries(needed)
    .filter(([tool]) => findTool(tool) === undefined)
    .map(([tool, packageName]) => ({ tool, packageName }))
  if (missing.length === 0) return
  const what = missing.map((m) => `${m.tool} (package ${m.packageName})`).join(', ')
  const names = [...new Set(missing.map((m) => m.packageName))].join(' ')
  throw new Error(`The demonstration disk cannot be built: missing ${what}. Run: apt-get install -y ${names}`)
}

function findTool(tool: string): string | undefined {
  if (tool.startsWith('/')) return existsSync(tool) ? tool : undefined
  return toolConfig.path
    .map((folder) => join(folder, tool))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

// Runs as process 1 of the guest. `sync` mount option: what the guest wrote must survive a forced power-off.
const initScript = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
disks() { for d in /sys/block/vd* /sys/block/sd*; do [ -e $d/size ] && echo -n " $(basename $d)=$(cat $d/size)"; done; }
ask() { echo "goldleaf-guest answer: $(wget -q -O - --header Metadata:true "$1" 2>&1) ($1)"; }
watch_disks() {
  while sleep 1; do
    now=$(disks)
    [ "$now" = "$1" ] || echo "goldleaf-guest disks now:$now"
    set -- "$now"
    mark=$(apps_mark)
    if [ -n "$mark" ] && [ "$mark" != "$apps" ]; then run_apps; fi
  done
}
apps_disk() { for d in /sys/block/vd*; do [ "$(cat $d/serial 2>/dev/null)" = goldleaf-apps ] && echo /dev/$(basename $d); done; }
apps_mark() { for d in $(apps_disk); do head -c 512 $d | md5sum; done; }
run_apps() {
  apps=$(apps_mark)
  for d in $(apps_disk); do
    mount -t vfat -o ro,iocharset=ascii $d /apps || mount -t vfat -o ro $d /apps
    GOLDLEAF_APPS=/disk/apps sh /apps/install.sh
    umount /apps
  done
}
tries=0
while [ ! -b /dev/vda1 ] && [ ! -b /dev/sda1 ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
disk=/dev/vda1
[ -b $disk ] || disk=/dev/sda1
acpid -d -f -c /etc/acpi >/dev/null 2>&1 &
if mount -t vfat -o sync,iocharset=ascii $disk /disk || mount -t vfat -o sync $disk /disk; then
  boots=$(($(cat /disk/BOOTS.TXT 2>/dev/null || echo 0) + 1))
  echo $boots >/disk/BOOTS.TXT
  sync
  echo "goldleaf-guest boot $boots"
  seen=$(disks)
  echo "goldleaf-guest disks:$seen"
  if [ -d /sys/class/net/eth0 ]; then
    ifconfig eth0 up
    udhcpc -i eth0 -n -q -t 5 -T 1 -s /etc/dhcp.sh >/dev/null 2>&1 || ifconfig eth0 169.254.0.16 netmask 255.255.0.0 up
  fi
  run_apps
  watch_disks "$seen" &
  if [ -f /disk/ASK.TXT ] && [ -d /sys/class/net/eth0 ]; then
    asked=
    while read address; do
      case "$address" in
        \\&*) ask "\${address#?}" & asked="$asked $!" ;;
        *) ask "$address" ;;
      esac
    done </disk/ASK.TXT
    wait $asked
  fi
  echo "goldleaf-guest ready: $(head -n 1 /disk/${greetingFile})"
else
  echo "goldleaf-guest failed: no file system on $disk"
fi
while :; do setsid cttyhack sh; sleep 1; done
`

// busybox acpid calls this for the power button (it opens /dev/input/event* and maps KEY_POWER to this name).
const powerButtonScript = '#!/bin/sh\nsync\numount /disk\npoweroff -f\n'

// udhcpc calls this with what it was given.
const dhcpScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig "$interface" "$ip" netmask "$subnet"
echo "goldleaf-guest address: $ip/$subnet" >/dev/ttyS0
`

const applets = `acpid basename cat cp cttyhack dirname echo head insmod ls mkdir mount poweroff reboot rm sed setsid sh
sleep sync tail timeout umount wget dd md5sum`.split(/\s+/)

async function cachedInitramfs(kernel: Kernel): Promise<string> {
  const busybox = await readFile(findTool('busybox') ?? '')
  // A dynamic busybox (package `busybox`) finds no libc in the initramfs; /bin/busybox of busybox-static is static.
  if (busybox.includes('/lib64/ld-linux'))
    throw new Error('The installed busybox is not static. Run: apt-get install -y busybox-static')
  const members: ArchiveMember[] = [
    ...['apps', 'bin', 'dev', 'disk', 'etc', 'etc/acpi', 'etc/acpi/PWRF', 'modules', 'proc', 'sys'].map(
      (path): ArchiveMember => ({ kind: 'folder', path }),
    ),
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(initScript) },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: busybox },
    { kind: 'file', path: 'etc/acpi/PWRF/00000080', mode: 0o755, bytes: Buffer.from(powerButtonScript) },
    { kind: 'file', path: 'etc/dhcp.sh', mode: 0o755, bytes: Buffer.from(dhcpScript) },
    ...applets.map((name): ArchiveMember => ({ kind: 'link', path: `bin/${name}`, to: 'busybox' })),
    { kind: 'file', path: 'modules/order', mode: 0o644, bytes: Buffer.from(`${kernel.modules.join('\n')}\n`) },
  ]
  for (const name of kernel.modules)
    members.push({
      kind: 'file',
      path: `modules/${name}.ko`,
      mode: 0o644,
      bytes: await readFile(join(kernel.folder, `${name}.ko`)),
    })
  const archive = newcArchive(members)
  const file = join(kernel.folder, `initrd-${createHash('sha256').update(archive).digest('hex').slice(0, 16)}.gz`)
  if (!existsSync(file)) {
    await writeFile(`${file}.${process.pid}`, await compress(archive, { level: zlibConstants.Z_BEST_COMPRESSION }))
    await rename(`${file}.${process.pid}`, file)
  }
  return file
}

interface Contents {
  readonly scratch: string
  readonly kernel: Kernel
  readonly initramfs: string
  readonly greeting: string
}

async function writeDisk(disk: string, sizeMiB: number, contents: Contents): Promise<void> {
  const partitionMiB = Math.min(sizeMiB, 1024) - 1
  const file = await open(disk, 'w')
  try {
    await file.truncate(sizeMiB * 1024 * 1024)
  } finally {
    await file.close()
  }
  const partitioning = run(findTool('sfdisk') ?? 'sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk])
  // A fixed label id: two disks with the same content are the same bytes as far as possible.
  partitioning.child.stdin?.end(
    `label: dos\nlabel-id: 0x601d1eaf\nstart=2048, size=${partitionMiB * 2048}, type=6, bootable\n`,
  )
  await partitioning
  const mbr = await readFile('/usr/lib/syslinux/mbr/mbr.bin')
  const target = await open(disk, 'r+')
  try {
    await target.write(mbr, 0, Math.min(mbr.length, 440), 0)
  } finally {
    await target.close()
  }
  const vfat = ['-F', '16', '-i', '601d1eaf', '-n', 'GOLDLEAF', '--offset', '2048', disk, String(partitionMiB * 1024)]
  await run(findTool('mkfs.vfat') ?? 'mkfs.vfat', vfat)
  await run('syslinux', ['--offset', String(partitionOffsetBytes), '--install', disk], toolEnvironment())
  const config = join(contents.scratch, 'SYSLINUX.CFG')
  await writeFile(
    config,
    'DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n  KERNEL VMLINUZ\n  INITRD INITRD.GZ\n' +
      '  APPEND console=ttyS0 quiet panic=5 random.trust_cpu=on\n',
  )
  const greeting = join(contents.scratch, greetingFile)
  await writeFile(greeting, `${contents.greeting}\n`)
  await copyIn(disk, join(contents.kernel.folder, 'vmlinuz'), 'VMLINUZ')
  await copyIn(disk, contents.initramfs, 'INITRD.GZ')
  await copyIn(disk, config, 'SYSLINUX.CFG')
  await copyIn(disk, greeting, greetingFile)
}

async function copyIn(disk: string, file: string, name: string): Promise<void> {
  await run('mcopy', ['-o', '-i', `${disk}@@${partitionOffsetBytes}`, file, `::${name}`], toolEnvironment())
}

function toolEnvironment(): { env: NodeJS.ProcessEnv } {
  return { env: { ...toolConfig.environment, LC_ALL: 'C', MTOOLS_SKIP_CHECK: '1', PATH: toolConfig.path.join(':') } }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { greeting: { type: 'string' }, 'size-mib': { type: 'string' }, cache: { type: 'string' } },
  })
  const [out] = positionals
  if (out === undefined || positionals.length > 1) {
    process.stderr.write('Usage: node tools/tiny-disk.ts OUT.raw [--greeting TEXT] [--size-mib N] [--cache DIR]\n')
    process.exit(2)
  }
  try {
    const sizeMiB = values['size-mib'] === undefined ? undefined : Number(values['size-mib'])
    const disk = await buildTinyDisk({ out, cacheDir: values.cache, sizeMiB, content: values.greeting })
    process.stdout.write(`${disk.path} ${disk.sizeBytes} bytes, Linux ${disk.kernelVersion}\n`)
  } catch (error) {
    process.stderr.write(`goldleaf: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}
