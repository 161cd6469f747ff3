/**
 * A small read-only disc (ECMA-119 with Joliet names): the only form in which every guest finds a few files by the label
 * of their volume. One folder, no name longer than 64 characters.
 */
export interface DiscFile {
  readonly name: string
  readonly bytes: Uint8Array
}

const sector = 2048
const rootSector = { plain: 23, joliet: 24 }
const pathTable = { plain: [19, 20], joliet: [21, 22] } as const
const firstFileSector = 25

/** The disc as a whole; meant for files of some KiB. The same files give the same bytes. */
export function isoImage(label: string, files: readonly DiscFile[]): Buffer {
  let next = firstFileSector
  const placed = files.map((file) => {
    const at = next
    next += Math.ceil(file.bytes.length / sector)
    return { ...file, at }
  })
  const disc = Buffer.alloc(next * sector)
  for (const { at, bytes } of placed) disc.set(bytes, at * sector)
  volumeDescriptor(label, next, 'plain').copy(disc, 16 * sector)
  volumeDescriptor(label, next, 'joliet').copy(disc, 17 * sector)
  disc.set(Buffer.from('\xffCD001\x01', 'latin1'), 18 * sector)
  for (const kind of ['plain', 'joliet'] as const) {
    const [little, big] = pathTable[kind]
    // One entry, the root: name length 1, its sector, parent 1, name zero.
    disc.writeUInt8(1, little * sector)
    disc.writeUInt32LE(rootSector[kind], little * sector + 2)
    disc.writeUInt16LE(1, little * sector + 6)
    disc.writeUInt8(1, big * sector)
    disc.writeUInt32BE(rootSector[kind], big * sector + 2)
    disc.writeUInt16BE(1, big * sector + 6)
    const records = [
      record(Buffer.from([0]), rootSector[kind], sector, true),
      record(Buffer.from([1]), rootSector[kind], sector, true),
      ...placed
        .map(({ name, at, bytes }) => record(nameOf(name, kind), at, bytes.length, false))
        .toSorted((a, b) => Buffer.compare(a.subarray(33), b.subarray(33))),
    ]
    const folder = Buffer.concat(records)
    if (folder.length > sector) throw new RangeError('too many files for one folder of one sector')
    disc.set(folder, rootSector[kind] * sector)
  }
  return disc
}

type Kind = 'plain' | 'joliet'

/** Joliet is UCS-2, big-endian; the plain name is for readers that know nothing else, in capitals. */
function nameOf(name: string, kind: Kind): Buffer {
  if (!/^[a-z0-9._-]{1,60}$/.test(name)) throw new RangeError('a file on a disc needs a plain name')
  return kind === 'joliet'
    ? ucs2(name)
    : Buffer.from(`${name.toUpperCase()}${name.includes('.') ? '' : '.'};1`, 'latin1')
}

function ucs2(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16()
}

/** A number in both byte orders, as the standard has most of them. */
function both(value: number, bytes: 2 | 4): Buffer {
  const out = Buffer.alloc(bytes * 2)
  out.writeUIntLE(value, 0, bytes)
  out.writeUIntBE(value, bytes, bytes)
  return out
}

function record(name: Buffer, at: number, length: number, isFolder: boolean): Buffer {
  const padding = name.length % 2 === 0 ? 1 : 0
  const out = Buffer.alloc(33 + name.length + padding)
  out.writeUInt8(out.length, 0)
  both(at, 4).copy(out, 2)
  both(length, 4).copy(out, 10)
  // 1970-01-01: a disc has no date of its own, so that the same content is the same bytes.
  out.set([70, 1, 1, 0, 0, 0, 0], 18)
  out.writeUInt8(isFolder ? 2 : 0, 25)
  both(1, 2).copy(out, 28)
  out.writeUInt8(name.length, 32)
  name.copy(out, 33)
  return out
}

function volumeDescriptor(label: string, sectors: number, kind: Kind): Buffer {
  const out = Buffer.alloc(sector)
  const text = (value: string, at: number, length: number): void => {
    const isWide = kind === 'joliet'
    const blank = isWide ? ucs2(' '.repeat(Math.floor(length / 2))) : Buffer.alloc(length, ' ')
    blank.copy(out, at)
    const bytes = isWide ? ucs2(value) : Buffer.from(value, 'latin1')
    bytes.copy(out, at, 0, Math.min(bytes.length, length))
  }
  out.writeUInt8(kind === 'plain' ? 1 : 2, 0)
  out.set(Buffer.from('CD001\x01', 'latin1'), 1)
  text('', 8, 32)
  text(label, 40, 32)
  both(sectors, 4).copy(out, 80)
  // UCS-2 level 3.
  if (kind === 'joliet') out.set(Buffer.from('%/E', 'latin1'), 88)
  both(1, 2).copy(out, 120)
  both(1, 2).copy(out, 124)
  both(sector, 2).copy(out, 128)
  both(10, 4).copy(out, 132)
  out.writeUInt32LE(pathTable[kind][0], 140)
  out.writeUInt32BE(pathTable[kind][1], 148)
  record(Buffer.from([0]), rootSector[kind], sector, true).copy(out, 156)
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const)
    text('', at, length)
  for (const at of [813, 830, 847, 864]) {
    out.fill('0', at, at + 16)
  }
  out.writeUInt8(1, 881)
  return out
}
