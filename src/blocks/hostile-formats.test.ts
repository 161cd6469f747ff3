import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { test } from 'node:test'
import { MiB } from '../base/units.ts'
import type { Case } from './hostile.fixture.ts'
import { end, put, readAll, refusesAll, sane, store } from './hostile.fixture.ts'
import { openDiskImage } from './open-disk-image.ts'
import { makeTestFolder } from './random-disk.fixture.ts'

const folder = await makeTestFolder()

const formatCases: readonly Case[] = [
  {
    why: 'qcow2 declared as raw',
    from: 'qcow2',
    options: { format: 'raw' },
    says: /declared as raw but carries the mark of qcow2/,
  },
  { why: 'a VHD declared as raw', from: 'vhd-fixed', options: { format: 'raw' }, says: /mark of VHD/ },
  {
    why: 'qcow2 declared as VHD',
    from: 'qcow2',
    options: { format: 'vhd' },
    says: /declared as vhd but its content is qcow2/,
  },
  {
    why: 'a VHD declared as qcow2',
    from: 'vhd-fixed',
    options: { format: 'qcow2' },
    says: /declared as qcow2 but its content is vhd/,
  },
  { why: 'raw declared as qcow2', from: 'raw', options: { format: 'qcow2' }, says: /declared as qcow2/ },
  {
    why: 'a fixed VHD declared as dynamic',
    from: 'vhd-fixed',
    options: { format: 'vhd-dynamic' },
    says: /declared as vhd-dynamic but its content is vhd-fixed/,
  },
  {
    why: 'a qcow2 that ends as a VHD',
    from: 'qcow2',
    change: end('conectix'),
    says: /more than one format \(qcow2, VHD\)/,
  },
  {
    why: 'a fixed VHD that begins as a qcow2',
    from: 'vhd-fixed',
    change: put('QFI\xfb\0\0\0\x03', 0),
    says: /more than one format/,
  },
  {
    why: 'a polyglot declared as raw, twice',
    from: 'qcow2',
    change: end('conectix'),
    options: { format: 'raw', rawIsRaw: true },
    says: /more than one format/,
  },
  {
    why: 'a raw disk with a VHDX inside its first 64 KiB',
    from: 'raw',
    change: put('vhdxfile', 512),
    says: /mark of VHDX/,
  },
  ...(
    [
      ['VMDK', 'KDMV', 0],
      ['VMDK', 'COWD', 0],
      ['VMDK', '# Disk DescriptorFile', 0],
      ['VHDX', 'vhdxfile', 0],
      ['QED', 'QED\0', 0],
      ['VDI', '\x7f\x10\xda\xbe', 64],
      ['VDI', '<<< Oracle VM VirtualBox Disk Image >>>', 0],
      ['LUKS', 'LUKS\xba\xbe', 0],
      ['Parallels', 'WithouFreSpacExt', 0],
    ] as const
  ).flatMap(([name, magic, at]): Case[] => [
    {
      why: `${JSON.stringify(magic)} not declared`,
      from: 'raw',
      change: put(magic, at),
      says: new RegExp(`is ${name}, which is not supported`),
    },
    {
      why: `${JSON.stringify(magic)} declared as raw`,
      from: 'raw',
      change: put(magic, at),
      options: { format: 'raw' },
      says: new RegExp(`mark of ${name}`),
    },
  ]),
  { why: 'DMG', from: 'raw', change: end('koly'), says: /is DMG/ },
  { why: 'an empty file', from: 'raw', change: () => Buffer.alloc(0), says: /a disk of 0 bytes/ },
  { why: 'a raw file over the limit', from: 'raw', options: { maxVirtualSizeBytes: 8 * MiB - 512 }, says: /limit/ },
]

refusesAll('a format is refused, with the reason', 'InvalidDiskImage', formatCases)

test('the images that the corpus is made from are fine', async () => {
  for (const bytes of Object.values(sane)) await readAll(await store(bytes))
})

test('a raw disk with a mark is taken if it is declared raw, as it is', async () => {
  const bytes = Buffer.from(sane.raw)
  put('QFI\xfb\0\0\0\x03', 0)(bytes)
  await readAll(await store(bytes), { format: 'raw', rawIsRaw: true })
})

test('a partition that begins with LUKS is no container', async () => {
  const bytes = Buffer.from(sane.raw)
  put('LUKS\xba\xbe', 63 * 512)(bytes)
  await readAll(await store(bytes))
})

test('only regular files are opened: no link, FIFO, folder or device, and none is waited for', async () => {
  await symlink(await store(sane.raw), folder.path('link'))
  await mkdir(folder.path('folder'))
  execFileSync('mkfifo', [folder.path('fifo')])
  await assert.rejects(openDiskImage(folder.path('link')), /'link' is a symbolic link/)
  await assert.rejects(openDiskImage(folder.path('folder')), /is a directory/)
  await assert.rejects(openDiskImage(folder.path('fifo')), /is a FIFO/)
  await assert.rejects(openDiskImage('/dev/zero'), /is a device/)
  await assert.rejects(openDiskImage(folder.path('absent')), { code: 'ENOENT' })
})
