/**
 * Lays out a read-only drive that every system can read: FAT32 without partitions, all files in the root folder, each in
 * one run of clusters. Only the structure is made here; whoever writes the drive puts the contents at their places.
 */
export interface DriveFile {
  /** 1 to 13 characters of ASCII (one long-name entry), unique in any case. */
  readonly name: string
  /** Less than 4 GiB: FAT32 counts bytes in 32 bits. */
  readonly sizeBytes: number
}

export interface DriveLayout {
  readonly sizeBytes: number
  /** What is not zeros and not a file's content. */
  readonly structure: readonly { readonly offset: number; readonly bytes: Buffer }[]
  /** Where each file's content begins, in the order given. */
  readonly offsets: readonly number[]
}

const sectorBytes = 512
const clusterBytes = 4096
const reservedSectors = 32
const rootCluster = 2
/** With fewer clusters it would be FAT16 to every reader. */
const fewestClusters = 65_600
const entryBytes = 32
const endOfChain = 0x0fffffff

/**
 * `label`: up to 11 capitals, digits, `-` and `_`; `volumeId`: 32 bits in the first sector, by which drives are told apart.
 * Throws on a name or size that FAT32 cannot hold: ours, not a client's.
 */
export function planDrive(label: string, files: readonly DriveFile[], volumeId = 0x601d1eaf): DriveLayout {
  checkFiles(label, files)
  const rootClusters = clustersOf((1 + 2 * files.length) * entryBytes)
  const chains: { readonly first: number; readonly clusters: number }[] = [
    { first: rootCluster, clusters: rootClusters },
  ]
  let next = rootCluster + rootClusters
  for (const { sizeBytes } of files) {
    const clusters = clustersOf(sizeBytes)
    chains.push({ first: next, clusters })
    next += clusters
  }
  const clusterCount = Math.max(fewestClusters, next - rootCluster)
  const fatSectors = Math.ceil(((clusterCount + 2) * 4) / sectorBytes)
  const dataOffset = (reservedSectors + 2 * fatSectors) * sectorBytes
  const offsetOf = (cluster: number): number => dataOffset + (cluster - rootCluster) * clusterBytes
  const sizeBytes = dataOffset + clusterCount * clusterBytes
  const boot = bootSector(label, sizeBytes / sectorBytes, fatSectors, volumeId)
  const fat = allocationTable(chains, next)
  const folder = rootFolder(
    label,
    files.map((file, index) => ({ ...file, first: file.sizeBytes === 0 ? 0 : (chains[index + 1]?.first ?? 0) })),
  )
  return {
    sizeBytes,
    structure: [
      { offset: 0, bytes: boot },
      { offset: sectorBytes, bytes: infoSector() },
      { offset: 6 * sectorBytes, bytes: boot },
      { offset: reservedSectors * sectorBytes, bytes: fat },
      { offset: (reservedSectors + fatSectors) * sectorBytes, bytes: fat },
      { offset: offsetOf(rootCluster), bytes: folder },
    ],
    offsets: files.map((_, index) => offsetOf(chains[index + 1]?.first ?? rootCluster)),
  }
}

const clustersOf = (bytes: number): number => Math.ceil(bytes / clusterBytes)

function checkFiles(label: string, files: readonly DriveFile[]): void {
  if (!/^[A-Z0-9_-]{1,11}$/.test(label)) throw new Error(`'${label}' is no label of a drive`)
  const names = new Set(files.map(({ name }) => name.toLowerCase()))
  if (names.size < files.length) throw new Error('two files of a drive have the same name')
  for (const { name, sizeBytes } of files)
    if (!/^[a-z0-9][a-z0-9._-]{0,12}$/i.test(name) || sizeBytes >= 2 ** 32) throw new Error(`'${name}' does not fit`)
}

function bootSector(label: string, sectors: number, fatSectors: number, volumeId: number): Buffer {
  const sector = Buffer.alloc(sectorBytes)
  sector.set([0xeb, 0x58, 0x90])
  sector.write('GOLDLEAF', 3, 'latin1')
  sector.writeUInt16LE(sectorBytes, 11)
  sector.writeUInt8(clusterBytes / sectorBytes, 13)
  sector.writeUInt16LE(reservedSectors, 14)
  sector.writeUInt8(2, 16)
  sector.writeUInt8(0xf8, 21)
  sector.writeUInt16LE(63, 24)
  sector.writeUInt16LE(255, 26)
  sector.writeUInt32LE(sectors, 32)
  sector.writeUInt32LE(fatSectors, 36)
  sector.writeUInt32LE(rootCluster, 44)
  sector.writeUInt16LE(1, 48)
  sector.writeUInt16LE(6, 50)
  sector.set([0x80, 0, 0x29], 64)
  sector.writeUInt32LE(volumeId, 67)
  sector.write(label.padEnd(11), 71, 'latin1')
  sector.write('FAT32   ', 82, 'latin1')
  sector.set([0x55, 0xaa], 510)
  return sector
}

/** Free clusters: unknown. Nobody will write here. */
function infoSector(): Buffer {
  const sector = Buffer.alloc(sectorBytes)
  sector.write('RRaA', 0, 'latin1')
  sector.write('rrAa', 484, 'latin1')
  sector.writeUInt32LE(0xffffffff, 488)
  sector.writeUInt32LE(0xffffffff, 492)
  sector.set([0x55, 0xaa], 510)
  return sector
}

function allocationTable(chains: readonly { first: number; clusters: number }[], end: number): Buffer {
  const table = Buffer.alloc(end * 4)
  table.writeUInt32LE(0x0ffffff8, 0)
  table.writeUInt32LE(endOfChain, 4)
  for (const { first, clusters } of chains)
    for (let at = 0; at < clusters; at += 1)
      table.writeUInt32LE(at === clusters - 1 ? endOfChain : first + at + 1, (first + at) * 4)
  return table
}

function rootFolder(label: string, files: readonly (DriveFile & { readonly first: number })[]): Buffer {
  const folder = Buffer.alloc((1 + 2 * files.length) * entryBytes)
  folder.write(label.padEnd(11), 0, 'latin1')
  folder.writeUInt8(0x08, 11)
  for (const [index, { name, sizeBytes, first }] of files.entries()) {
    const short = `GL${String(index).padStart(6, '0')}   `
    const at = (1 + 2 * index) * entryBytes
    folder.set(longName(name, short), at)
    const entry = folder.subarray(at + entryBytes, at + 2 * entryBytes)
    entry.write(short, 0, 'latin1')
    // Read-only.
    entry.writeUInt8(0x21, 11)
    // The first day that FAT knows: equal contents are equal drives.
    entry.writeUInt16LE(0x0021, 16)
    entry.writeUInt16LE(0x0021, 24)
    entry.writeUInt16LE(first >>> 16, 20)
    entry.writeUInt16LE(first & 0xffff, 26)
    entry.writeUInt32LE(sizeBytes, 28)
  }
  return folder
}

/** The one long-name entry before a file's own. */
function longName(name: string, short: string): Buffer {
  const entry = Buffer.alloc(entryBytes, 0xff)
  const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]
  for (const [index, place] of places.entries())
    if (index <= name.length) entry.writeUInt16LE(index < name.length ? name.charCodeAt(index) : 0, place)
  let sum = 0
  for (const byte of Buffer.from(short, 'latin1')) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff
  entry.writeUInt8(0x41, 0)
  entry.set([0x0f, 0, sum], 11)
  entry.writeUInt16LE(0, 26)
  return entry
}
