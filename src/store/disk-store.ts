import type { DiskImage, Extent } from '../blocks/disk-image.ts'

/** Azure's storage classes and what they are here: see DESIGN section 6. */
export const storageClasses = ['Standard_LRS', 'Standard_ZRS', 'Premium_LRS'] as const
export type PlainStorageClass = (typeof storageClasses)[number]
/** Of a store that keeps its bytes encrypted: the class and the vault whose key does it (vault.ts). */
export type EncryptedClass = `${PlainStorageClass}.${string}`
/** Which of a region's stores: bytes as they are, or in a vault. */
export type StorageClass = PlainStorageClass | EncryptedClass

/** A class as clients name it. */
export function isStorageClass(text: string): text is PlainStorageClass {
  return storageClasses.some((one) => one === text)
}

/** A frame is the unit of identity, compression and verification: 64 KiB of the guest's own grid. */
export const frameSizeBytes = 65_536

/** Progress of one transfer; figures only grow. */
export interface TransferProgress {
  /** Guest bytes to look at (extents, not holes). */
  readonly bytesTotal: number
  readonly bytesDone: number
  /** Guest bytes read from the source. */
  readonly bytesRead: number
  /** Guest bytes of frames that this store did not have. */
  readonly bytesNew: number
  /** Bytes that crossed from another region or client, as sent (compressed where they were). */
  readonly bytesSent: number
  /** Bytes added to packs. */
  readonly bytesStored: number
}

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined
  /** Root of a version to compare with before any look-up. */
  readonly parentRoot?: string | undefined
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
  /**
   * Stamps of the region to keep the disk on (Standard_LRS, Premium_LRS); default 1, at most as many as there are.
   * Standard_ZRS always has one copy in each zone.
   */
  readonly copies?: number | undefined
}

/** Names a disk image for a worker thread, which opens it by itself. */
export interface ImageFile {
  readonly path: string
  /** Undefined: told from the content, strictly. */
  readonly format?: 'raw' | 'vhd-fixed' | 'vhd-dynamic' | 'qcow2' | undefined
}

export interface StoredResult {
  /** Hex BLAKE3 root: names what the guest reads, whatever the store, codec or layout. */
  readonly root: string
  readonly virtualSizeBytes: number
  readonly progress: TransferProgress
  /**
   * Keeps the disk from being swept until its row is committed. Call `release` after that, or when it is given up.
   */
  readonly pin: Disposable
}

export interface VerifyResult {
  readonly framesChecked: number
  readonly bytesChecked: number
  /** Frames that were bad or missing somewhere and are whole again, from a sibling copy. */
  readonly repaired: number
  /** Frames and manifests that are whole in one copy and could not be put back into another: it has one copy less. */
  readonly unrepaired: number
  /** Guest offsets of frames that no copy here can give. */
  readonly lost: readonly number[]
}

/** Random access to a stored disk; every byte is verified against the root before it is returned. */
export interface StoredDisk extends AsyncDisposable {
  readonly root: string
  readonly virtualSizeBytes: number
  /** Guest bytes; throws FrameMissing or FrameCorrupt, never returns unverified bytes. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Ranges that hold data, at frame granularity. */
  extents(): AsyncIterable<Extent>
  close(): Promise<void>
}

/** 256 leaves: the frames of 16 MiB of guest space. A page that is all zeros is never yielded. */
export interface LeafPage {
  readonly index: number
  /** 256 x 32 bytes: BLAKE3 of each frame's 64 KiB (the last frame is padded with zeros); 32 zero bytes = a zero frame. */
  readonly leaves: Uint8Array
}

/** A frame as it rests in a pack and crosses the wire. */
export interface EncodedFrame {
  /** BLAKE3 of the 64 KiB it decodes to. */
  readonly name: Uint8Array
  readonly codec: 'raw' | 'zstd'
  readonly bytes: Uint8Array
}

/**
 * The frame-level door of a store: what replication uses, in one process or across a network. `receive` is: read the
 * peer's pages, ask here for what is missing, fetch that, put it, assemble.
 */
export interface FrameExchange {
  /** Verified pages of a disk, ascending; zero pages are left out. Throws DiskMissing. */
  leafPages(root: string): AsyncIterable<LeafPage>
  /** Indexes into `names` (n x 32 bytes) of frames that are not here. What is here stays until `pin` is disposed. */
  missing(names: Uint8Array, pin?: FramePin): Promise<readonly number[]>
  /** Frames as stored, in the order asked; throws FrameMissing. Checked against their names by the receiver. */
  readFrames(names: readonly Uint8Array[], signal?: AbortSignal): Promise<readonly EncodedFrame[]>
  /** Decodes and checks each frame against its name (FrameCorrupt otherwise); durable once resolved. */
  putFrames(frames: readonly EncodedFrame[], pin?: FramePin): Promise<{ readonly bytesStored: number }>
  /** Makes a disk of frames that are all here; throws FramesMissing naming those that are not. Durable once resolved. */
  assemble(virtualSizeBytes: number, pages: AsyncIterable<LeafPage>, pin?: FramePin): Promise<StoredResult>
  /** Opens a pin: frames it has seen (found or put) are not swept while it lives. */
  pinFrames(): FramePin
}

export interface FramePin extends Disposable {}

/**
 * The disks of one storage class in one region. Hides stamps, zones, packs and indexes. Everything a promise resolves
 * is durable (fsynced) by then.
 */
export interface DiskStore extends FrameExchange {
  readonly region: string
  readonly storageClass: StorageClass
  /** Reads a disk image and keeps it; frames that are here already cost a look-up. */
  ingest(image: ImageFile, options?: TransferOptions): Promise<StoredResult>
  /**
   * The disk that a guest sees through a copy-on-write layer (a qcow2 of ours, in clusters of whole frames) over a
   * stored disk; without `baseRoot` over zeros. Reads what the layer changed and nothing else, whatever the disk's size;
   * the layer may be larger than the disk under it. Nobody may write to it meanwhile. Throws DiskMissing.
   */
  capture(baseRoot: string | undefined, layerPath: string, options?: TransferOptions): Promise<StoredResult>
  /** Takes a disk over from another store; only frames that are missing here cross. */
  receive(from: DiskStore, root: string, options?: TransferOptions): Promise<StoredResult>
  has(root: string): Promise<boolean>
  /** Throws DiskMissing. */
  open(root: string): Promise<StoredDisk>
  /** Reads and checks every byte of every copy of this disk; repairs from a sibling copy where it can. */
  verify(root: string, options?: TransferOptions): Promise<VerifyResult>
  /**
   * Frees what none of `live` (roots) and no running transfer needs. Prefer the function: it is asked after the sweep has
   * begun to watch pins, so a disk whose row is committed and whose pin is released in between cannot be missed. With
   * a set, no pin may be released between reading the rows and this call.
   */
  sweep(
    live: ReadonlySet<string> | (() => Promise<ReadonlySet<string>>),
    signal?: AbortSignal,
  ): Promise<{ readonly bytesFreed: number }>
  usage(): Promise<{ readonly bytesStored: number; readonly frames: number; readonly disks: number }>
}

/** Every store of this server. */
export interface DiskStores {
  /** Throws where the region is unknown or lacks what the class needs (zones for ZRS). */
  store(region: string, storageClass: StorageClass): DiskStore
  all(): readonly DiskStore[]
}

export type { DiskImage, Extent }
