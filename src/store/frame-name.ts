import { blake3 } from '@napi-rs/blake-hash'
import { frameSizeBytes } from './disk-store.ts'

/** Bytes of a BLAKE3 name. */
export const nameBytes = 32
/** The name of a frame (or page) of zeros, which is never stored: 32 zero bytes. */
export const zeroName: Uint8Array = Buffer.alloc(nameBytes)

const zeroFrame = Buffer.alloc(frameSizeBytes)

/** BLAKE3-256 of a frame's 64 KiB. */
export function nameOf(frame: Uint8Array): Buffer {
  return blake3(asBuffer(frame))
}

/** Whether 64 KiB are all zeros: Buffer.equals is memcmp, 26 GiB/s (STACK section 3). */
export function isZeroFrame(frame: Buffer): boolean {
  // A data frame mostly differs in its first bytes; memcmp returns there at once.
  return frame.equals(zeroFrame)
}

export function isZeroName(name: Uint8Array): boolean {
  return Buffer.compare(name, zeroName) === 0
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** A name as a key for Map and Set: one byte a character, half the memory of hex. */
export function nameKey(name: Uint8Array): string {
  return asBuffer(name).toString('latin1', 0, nameBytes)
}

export function hexOf(name: Uint8Array): string {
  return asBuffer(name).toString('hex')
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The i-th of concatenated names; no copy. */
export function nameAt(names: Uint8Array, index: number): Uint8Array {
  return names.subarray(index * nameBytes, (index + 1) * nameBytes)
}
