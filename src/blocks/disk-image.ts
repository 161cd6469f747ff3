/**
 * What a disk image is to the rest of the program: a virtual size, the ranges that may hold data, and random reads of
 * guest bytes. Containers (VHD, qcow2) end here; hostile ones are refused when they are opened or read.
 */
export type DiskFormat = 'raw' | 'vhd-fixed' | 'vhd-dynamic' | 'qcow2'

/** A range of guest bytes that may hold data. Everything between extents reads as zeros. */
export interface Extent {
  /** Bytes from the start of the guest disk. */
  readonly offset: number
  readonly length: number
}

export interface DiskImage extends AsyncDisposable {
  readonly format: DiskFormat
  /** Size of the disk as the guest sees it, a multiple of 512. */
  readonly virtualSizeBytes: number
  /** Ascending, not overlapping, within the virtual size. A hole that the file or format knows is never yielded. */
  extents(signal?: AbortSignal): AsyncIterable<Extent>
  /** Fills `into` with the guest bytes from `offset`; offset + into.length must be within the virtual size. */
  read(offset: number, into: Uint8Array): Promise<void>
  close(): Promise<void>
}
