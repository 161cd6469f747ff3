import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Problem } from '../../base/problem.ts'
import type { VmSpec } from '../provider.ts'
import { qemuArguments } from './command-line.ts'
import { trimSerialLog } from './serial-log.ts'

const spec: VmSpec = {
  vmKey: '00000000-0000-4000-8000-000000000000',
  cpus: 1,
  memoryMiB: 128,
  firmware: 'bios',
  disks: [
    { lun: 0, overlayPath: '/d/0', base: undefined },
    { lun: 'os', overlayPath: '/d/os', base: { nbdSocketPath: '/s', exportName: 'disk-os' } },
  ],
  serialLogPath: '/a,b/serial.log',
}
const settings = { accelerator: 'tcg', network: 'none', uefiPath: undefined } as const
const nodesOf = (args: readonly string[]): Record<string, unknown>[] =>
  args.flatMap((word, at): Record<string, unknown>[] => (args[at - 1] === '-blockdev' ? [JSON.parse(word)] : []))

test('every layer of a disk names its driver, backings are read-only exports, and empty disks have none', () => {
  const nodes = nodesOf(qemuArguments(spec, settings))
  assert.deepEqual(
    nodes.map((node) => [node['node-name'], node['driver'], node['read-only'], node['backing']]),
    [
      ['base-os', 'nbd', true, undefined],
      ['file-os', 'file', undefined, undefined],
      ['disk-os', 'qcow2', undefined, 'base-os'],
      ['file-0', 'file', undefined, undefined],
      ['disk-0', 'qcow2', undefined, null],
    ],
  )
})

test('data disks of a q35 machine sit on ports of their own, with some to spare; those of a pc on its one bus', () => {
  const devicesOf = (firmware: 'bios' | 'uefi'): readonly string[] =>
    qemuArguments({ ...spec, firmware }, { ...settings, uefiPath: '/fw' }).filter((word) =>
      /virtio-blk|root-port/.test(word),
    )
  const busOf = (word: string): unknown => (JSON.parse(word) as { readonly bus?: string }).bus
  assert.deepEqual(devicesOf('bios').map(busOf), [undefined, undefined])
  const uefi = devicesOf('uefi')
  assert.equal(uefi.filter((word) => word.startsWith('pcie-root-port,id=slot-')).length, 9)
  assert.deepEqual(uefi.filter((word) => word.startsWith('{')).map(busOf), [undefined, 'slot-0'])
})

test('a comma in a path does not end the option, and a key that is no uuid never becomes an argument', () => {
  assert.ok(qemuArguments(spec, settings).some((word) => word.includes('path=/a,,b/serial.log,append=on')))
  assert.throws(() => qemuArguments({ ...spec, vmKey: 'x,file=/etc/passwd' }, settings))
})

test('an image that boots by UEFI needs the firmware, and says which package has it', () => {
  const uefi: VmSpec = { ...spec, firmware: 'uefi' }
  assert.throws(
    () => qemuArguments(uefi, settings),
    (e) => e instanceof Problem && /install ovmf/.test(e.message),
  )
  assert.ok(qemuArguments(uefi, { ...settings, uefiPath: '/fw' }).includes('/fw'))
})

test('a serial log that grew too long keeps its end, and whoever appends to it goes on behind that', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-serial-'))
  try {
    const path = join(folder, 'serial.log')
    await using log = await open(path, 'a')
    await log.write(Buffer.alloc(5 * 1024 * 1024, 'x'))
    await log.write('the end')
    await trimSerialLog(path)
    await log.write(' and more')
    const text = await readFile(path, 'latin1')
    assert.equal(text.length, 1024 * 1024 + ' and more'.length)
    assert.ok(text.endsWith('xthe end and more'))
    await trimSerialLog(join(folder, 'absent.log'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
