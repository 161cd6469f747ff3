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
    spec.disks.toSorted((a, b) => order(a) - order(b)).flatMap(diskArguments),
    spec.seedIsoPath === undefined ? [] : driveArguments('seed', spec.seedIsoPath),
    spec.applicationsPath === undefined ? [] : driveArguments('apps', spec.applicationsPath),
    networkArguments(spec, settings),
  ]
  return groups.flat()
}

/**
 * The guest's own little network: link-local addresses by DHCP, nothing to reach (restrict=on) but the metadata service,
 * whose address must lie in it to be forwarded. The stream of the forward goes to a socket of this machine alone.
 */
function networkArguments({ metadataSocketPath }: VmSpec, settings: QemuSettings): string[] {
  const card = ['-device', 'virtio-net-pci,netdev=net,romfile=']
  if (metadataSocketPath === undefined)
    return settings.network === 'user' ? ['-netdev', 'user,id=net,restrict=on', ...card] : []
  const net = [
    'user,id=net,restrict=on,ipv6=off,net=169.254.0.0/16,host=169.254.0.1,dns=169.254.0.2,dhcpstart=169.254.0.16',
    'guestfwd=tcp:169.254.169.254:80-chardev:metadata',
  ]
  const stream = `socket,id=metadata,path=${escapeCommas(metadataSocketPath)},server=off`
  return ['-chardev', stream, '-netdev', net.join(','), ...card]
}

function order(disk: VmDisk): number {
  return disk.lun === 'os' ? -1 : disk.lun
}

function diskArguments(disk: VmDisk): string[] {
  const name = `disk-${disk.lun}`
  const base = `base-${disk.lun}`
  const nodes = []
  if (disk.base)
    nodes.push({
      driver: 'nbd',
      'node-name': base,
      server: { type: 'unix', path: disk.base.nbdSocketPath },
      export: disk.base.exportName,
      'read-only': true,
      'reconnect-delay': reconnectSeconds,
    })
  nodes.push({ driver: 'file', 'node-name': `file-${disk.lun}`, filename: disk.overlayPath, discard: 'unmap' })
  nodes.push({
    driver: 'qcow2',
    'node-name': name,
    file: `file-${disk.lun}`,
    discard: 'unmap',
    backing: disk.base ? base : null,
  })
  const device = {
    driver: 'virtio-blk-pci',
    drive: name,
    id: `virtio-${disk.lun}`,
    serial: `goldleaf-${disk.lun}`,
    ...(disk.lun === 'os' ? { bootindex: 0 } : {}),
    // A full disk of the host pauses the guest until there is room; other errors are the guest's to see.
    werror: 'enospc',
    rerror: 'report',
  }
  return [...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]), '-device', JSON.stringify(device)]
}

/** A raw file that the guest may read; it finds it by its serial, `goldleaf-{name}`. */
function driveArguments(name: 'seed' | 'apps', path: string): string[] {
  const file = { driver: 'file', 'node-name': `${name}-file`, filename: path, 'read-only': true }
  const node = { driver: 'raw', 'node-name': name, file: `${name}-file`, 'read-only': true }
  const device = { driver: 'virtio-blk-pci', drive: name, id: `virtio-${name}`, serial: `goldleaf-${name}` }
  return ['-blockdev', JSON.stringify(file), '-blockdev', JSON.stringify(node), '-device', JSON.stringify(device)]
}

/** In QEMU's key=value options a comma ends the value unless it is doubled. */
function escapeCommas(path: string): string {
  return path.replaceAll(',', ',,')
}
