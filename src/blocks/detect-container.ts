import type { HostFile } from './host-file.ts'
import { readBytes } from './host-file.ts'

/** What a mark in a file says it is. Only `vhd` and `qcow2` can be read; the others are known in order to be refused. */
export type Container =
  | 'VHD'
  | 'qcow2'
  | 'qcow (version 1)'
  | 'VHDX'
  | 'VMDK'
  | 'QED'
  | 'VDI'
  | 'LUKS'
  | 'Parallels'
  | 'Bochs'
  | 'DMG'
  | 'cloop'
  | 'VHD with the 511-byte footer of old Virtual PC'

interface Mark {
  readonly container: Container
  readonly magic: Buffer
  /** Byte within the sector. */
  readonly at: number
}

const mark = (container: Container, magic: string, at = 0): Mark => ({
  container,
  magic: Buffer.from(magic, 'latin1'),
  at,
})

const marks: readonly Mark[] = [
  mark('qcow2', 'QFI\xfb\0\0\0\x02'),
  mark('qcow2', 'QFI\xfb\0\0\0\x03'),
  mark('qcow (version 1)', 'QFI\xfb'),
  mark('VHD', 'conectix'),
  mark('VHDX', 'vhdxfile'),
  mark('VMDK', 'KDMV'),
  mark('VMDK', 'COWD'),
  mark('VMDK', '# Disk DescriptorFile'),
  mark('QED', 'QED\0'),
  mark('VDI', '\x7f\x10\xda\xbe', 0x40),
  mark('VDI', '<<< '),
  mark('LUKS', 'LUKS\xba\xbe'),
  mark('LUKS', 'SKUL\xba\xbe'),
  mark('Parallels', 'WithoutFreeSpace'),
  mark('Parallels', 'WithouFreSpacExt'),
  mark('Bochs', 'Bochs Virtual HD Image'),
  mark('cloop', '#!/bin/sh\n#V2.0 Format'),
]
const innerMarks: readonly Mark[] = [...marks.filter((m) => m.container !== 'LUKS'), mark('VHD', 'cxsparse')]
const endMarks: readonly Mark[] = [
  mark('VHD', 'conectix'),
  mark('VHD with the 511-byte footer of old Virtual PC', 'conectix', 1),
  mark('DMG', 'koly'),
]

function findMark(bytes: Buffer, sector: number, among: readonly Mark[]): Mark[] {
  return among.filter((m) => bytes.subarray(sector + m.at, sector + m.at + m.magic.length).equals(m.magic))
}

export interface Marks {
  /** Marks where a format keeps its own: the first sector and the last. */
  readonly first: ReadonlySet<Container>
  readonly last: ReadonlySet<Container>
  /**
   * Marks at the start of any sector of the first 64 KiB. They matter for raw disks only: in a container these sectors
   * may be the guest's. LUKS is not looked for here: a partition may rightly begin with it.
   */
  readonly inner: ReadonlySet<Container>
}

/** Looks for the marks of every container format we know of (DATAPLANE section 6.5, rule 1). */
export async function detectContainers(file: HostFile): Promise<Marks> {
  const head = await readBytes(file, 0, Math.min(65_536, file.sizeBytes))
  const tailSize = Math.min(512, file.sizeBytes)
  const tail = await readBytes(file, file.sizeBytes - tailSize, tailSize)
  const inner = new Set<Container>()
  for (let sector = 512; sector < head.length; sector += 512)
    for (const found of findMark(head, sector, innerMarks)) inner.add(found.container)
  const first = new Set(findMark(head, 0, marks).map((m) => m.container))
  if (first.has('qcow2')) first.delete('qcow (version 1)')
  return { first, last: new Set(findMark(tail, 0, endMarks).map((m) => m.container)), inner }
}
