/**
 * The length of the zstd frame that `bytes` begins with, or undefined if there is no whole one. qcow2 does not record
 * how long a compressed cluster is: what follows the frame, often the next cluster's frame, must not be unpacked too.
 * RFC 8878 section 3.1.1.
 */
export function zstdFrameLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getUint32(0, true) !== 0xfd2f_b528) return undefined
  const descriptor = view.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes
  for (;;) {
    if (at + 3 > bytes.length) return undefined
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    const kind = (header >>> 1) & 3
    if (kind === 3) return undefined
    // An RLE block stores one byte, whatever its size says.
    at += 3 + (kind === 1 ? 1 : header >>> 3)
    if ((header & 1) === 1) break
  }
  if ((descriptor & 4) !== 0) at += 4
  return at <= bytes.length ? at : undefined
}
