import type { JsonObject } from '../../base/json.ts'
import { computeProblems } from '../problems.ts'
import type { Accelerator, VmDisk, VmSpec } from '../provider.ts'

export interface QemuSettings {
  readonly accelerator: Accelerator
  /** `user`: the guest reaches nothing but a DHCP and DNS of its own (restrict=on); `none`: no network card. */
  readonly network: 'none' | 'user'
  /** The UEFI firmware image, where this machine has one. */
  readonly uefiPath: string | undefined
}

// How long reads wait for an export that is away, in seconds; afterwards the guest sees an error.
const reconnectSeconds = 30

/**
 * The arguments of qemu-system-x86_64 for a machine. Formats, backings and devices are all spelt out, nothing is
 * probed: what a guest writes into its disk must never decide what the host opens. QMP speaks over stdin and stdout.
 */
export function qemuArguments(spec: VmSpec, settings: QemuSettings): string[] {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(spec.vmKey)) throw new Error('vmKey is not a uuid')
  if (spec.firmware === 'uefi' && settings.uefiPath === undefined) throw computeProblems.FirmwareMissing({})
  const machine = spec.firmware === 'uefi' ? 'q35' : 'pc'
  const slots = slotsOf(spec)
  const groups = [
    ['-nodefaults', '-no-user-config', '-display', 'none'],
    ['-name', `goldleaf-${spec.vmKey}`, '-uuid', spec.vmKey],
    ['-machine', `${machine},accel=${settings.accelerator},usb=off,vmport=off`],
    ['-cpu', settings.accelerator === 'kvm' ? 'host' : 'max'],
    ['-smp', String(spec.cpus), '-m', `${spec.memoryMiB}M`, '-rtc', 'base=utc'],
    spec.firmware === 'uefi' ? ['-bios', settings.uefiPath ?? ''] : [],
    // The guest's escape ends at a process that may start nothing and gain nothing.
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ['-chardev', 'stdio,id=qmp,signal=off', '-mon', 'chardev=qmp,mode=control'],
    ['-chardev', `file,id=serial,path=${escapeCommas(spec.serialLogPath)},append=on`, '-serial', 'chardev:serial'],
    ['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    slotArguments(slots),
    spec.disks.toSorted((a, b) => order(a) - order(b)).flatMap((disk, index) => diskArguments(disk, slots[index - 1])),
    spec.seedIsoPath === undefined ? [] : driveArguments('seed', spec.seedIsoPath),
    spec.applicationsPath === undefined ? [] : driveArguments('apps', spec.applicationsPath, slots.at(-1)),
    networkArguments(spec, settings),
  ]
  return groups.flat()
}

/** The file descriptor by which QEMU gets its end of the network's cable. */
export const networkDescriptor = 3

/** A card whose cable ends in this server (src/managed-identity), and nowhere else. */
function networkArguments({ serveNetwork }: VmSpec, settings: QemuSettings): string[] {
  const card = ['-device', 'virtio-net-pci,netdev=net,romfile=']
  if (serveNetwork) return ['-netdev', `socket,id=net,fd=${networkDescriptor}`, ...card]
  return settings.network === 'user' ? ['-netdev', 'user,id=net,restrict=on', ...card] : []
}

function order(disk: VmDisk): number {
  return disk.lun === 'os' ? -1 : disk.lun
}

// More than come and go in a machine's life, and few enough for every firmware.
const spareSlots = 8
const mostSlots = 64

/**
 * Where data disks can be put in and taken out while a q35 machine runs: on its root bus that is impossible, on ports of
 * it it is. A `pc` machine takes them on its one bus, which finds a place by itself.
 */
export function slotsOf({ firmware, disks }: Pick<VmSpec, 'firmware' | 'disks'>): readonly string[] {
  if (firmware !== 'uefi') return []
  const count = Math.min(mostSlots, disks.length - 1 + spareSlots)
  return Array.from({ length: Math.max(count, spareSlots) }, (_, index) => `slot-${index}`)
}

/** Eight ports a place of the root bus; without I/O ports, of which there are too few. */
function slotArguments(slots: readonly string[]): string[] {
  return slots.flatMap((id, index) => {
    const addr = `${(16 + Math.floor(index / 8)).toString(16)}.${index % 8}`
    return ['-device', `pcie-root-port,id=${id},chassis=${index + 1},addr=0x${addr},multifunction=on,io-reserve=0`]
  })
}

/** The layers of a disk, the lowest first. */
export function diskNodes(disk: VmDisk): readonly DiskNode[] {
  const { lun, overlayPath, base } = disk
  const file = { driver: 'file', 'node-name': `file-${lun}`, filename: overlayPath, discard: 'unmap' }
  const backing = base ? `base-${lun}` : null
  const own = { driver: 'qcow2', 'node-name': `disk-${lun}`, file: `file-${lun}`, discard: 'unmap', backing }
  if (!base) return [file, own]
  const server = { type: 'unix', path: base.nbdSocketPath }
  const under = { driver: 'nbd', 'node-name': `base-${lun}`, server, export: base.exportName, 'read-only': true }
  return [{ ...under, 'reconnect-delay': reconnectSeconds }, file, own]
}
export type DiskNode = JsonObject & { readonly 'node-name': string }

export const diskDeviceId = (lun: 'os' | 'apps' | number): string => `virtio-${lun}`

export function diskDevice({ lun }: VmDisk, slot: string | undefined): JsonObject {
  return {
    driver: 'virtio-blk-pci',
    drive: `disk-${lun}`,
    id: diskDeviceId(lun),
    serial: `goldleaf-${lun}`,
    ...(lun === 'os' ? { bootindex: 0 } : {}),
    ...(slot === undefined ? {} : { bus: slot }),
    // A full disk of the host pauses the guest until there is room; other errors are the guest's to see.
    werror: 'enospc',
    rerror: 'report',
  }
}

function diskArguments(disk: VmDisk, slot: string | undefined): string[] {
  const nodes = diskNodes(disk).flatMap((node) => ['-blockdev', JSON.stringify(node)])
  return [...nodes, '-device', JSON.stringify(diskDevice(disk, slot))]
}

/** A raw file that the guest may read; it finds it by its serial, `goldleaf-{name}`. */
function driveArguments(name: 'seed' | 'apps', path: string, slot?: string): string[] {
  const nodes = driveNodes(name, path).flatMap((node) => ['-blockdev', JSON.stringify(node)])
  return [...nodes, '-device', JSON.stringify(driveDevice(name, slot))]
}

export function driveNodes(name: 'seed' | 'apps', path: string): readonly DiskNode[] {
  const file = { driver: 'file', 'node-name': `${name}-file`, filename: path, 'read-only': true }
  const node = { driver: 'raw', 'node-name': name, file: `${name}-file`, 'read-only': true }
  return [file, node]
}

export function driveDevice(name: 'seed' | 'apps', slot: string | undefined): JsonObject {
  const device = { driver: 'virtio-blk-pci', drive: name, id: `virtio-${name}`, serial: `goldleaf-${name}` }
  return slot === undefined ? device : { ...device, bus: slot }
}

/** In QEMU's key=value options a comma ends the value unless it is doubled. */
function escapeCommas(path: string): string {
  return path.replaceAll(',', ',,')
}
