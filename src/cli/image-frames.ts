import type { DiskImage } from '../blocks/disk-image.ts'
import { readGuestData } from '../blocks/guest-data.ts'
import { frameSizeBytes } from '../store/disk-store.ts'
import { isZeroFrame } from '../store/frame-name.ts'

export interface ImageFrame {
  /** On the guest's 64 KiB grid. */
  readonly index: number
  /** 64 KiB of its own; the disk's last one is padded with zeros. */
  readonly bytes: Buffer
}

/** The frames of a disk that are not zero, ascending. `onRead` is told the guest bytes read. */
export async function* readFrames(
  image: DiskImage,
  onRead: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<ImageFrame> {
  // Several extents may lie in one frame: it is whole when one of a later frame comes.
  let open: ImageFrame | undefined
  for await (const { offset, bytes } of readGuestData(image, { signal })) {
    for (let at = 0; at < bytes.length;) {
      const index = Math.floor((offset + at) / frameSizeBytes)
      const within = (offset + at) % frameSizeBytes
      const part = bytes.subarray(at, at + frameSizeBytes - within)
      if (open?.index !== index) {
        if (open && !isZeroFrame(open.bytes)) yield open
        open = { index, bytes: Buffer.alloc(frameSizeBytes) }
      }
      open.bytes.set(part, within)
      at += part.length
    }
    onRead(bytes.length)
  }
  if (open && !isZeroFrame(open.bytes)) yield open
}
