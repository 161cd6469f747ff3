/** The only place that draws randomness; Web Crypto, so that it also works in the browser. */
export function randomUuid(): string {
  return globalThis.crypto.randomUUID()
}

export function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length))
}

/** A number in [0, 1). */
export function randomFraction(): number {
  return Math.random()
}
