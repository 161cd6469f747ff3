import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto'

/**
 * An encrypted frame as it rests in a pack: ciphertext (as long as the encoded frame) | nonce[12] | tag[16]. AES-256-GCM
 * with the vault's frame key; the frame's name is authenticated with it, so that one frame cannot stand for another.
 * Nonces are random: a key is good for 2^32 frames, 256 TiB of different data.
 */
const nonceBytes = 12
const tagBytes = 16
export const sealBytes = nonceBytes + tagBytes
const algorithm = 'aes-256-gcm'

/** Encrypts the first `length` bytes in place; answers the length of what rests, which `into` must have room for. */
export function sealFrame(key: Uint8Array, name: Uint8Array, into: Uint8Array, length: number): number {
  const nonce = into.subarray(length, length + nonceBytes)
  randomFillSync(nonce)
  const cipher = createCipheriv(algorithm, key, nonce)
  cipher.setAAD(name)
  into.set(cipher.update(into.subarray(0, length)))
  cipher.final()
  into.set(cipher.getAuthTag(), length + nonceBytes)
  return length + sealBytes
}

/** Undefined for anything that this key did not seal under this name. */
export function openFrame(key: Uint8Array, name: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - sealBytes
  if (length < 0) return undefined
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(length, length + nonceBytes))
  decipher.setAAD(name)
  decipher.setAuthTag(sealed.subarray(length + nonceBytes))
  const bytes = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
    return bytes
  } catch {
    return undefined
  }
}
