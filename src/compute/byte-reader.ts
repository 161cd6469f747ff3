import type { Socket } from 'node:net'

/** Takes exact amounts of bytes from a socket; the socket waits (is not read) while nobody takes. */
export interface ByteReader {
  /** Undefined: the other side hung up before `length` bytes came. */
  take(length: number): Promise<Buffer | undefined>
  /** Drops `length` bytes; false: the other side hung up before. */
  skip(length: number): Promise<boolean>
}

export function byteReader(socket: Socket): ByteReader {
  const source: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  const more = async (): Promise<Buffer | undefined> => {
    const next = await source.next().catch(() => undefined)
    return next === undefined || next.done === true ? undefined : next.value
  }
  return {
    async take(length) {
      const parts = [held]
      let size = held.length
      while (size < length) {
        const part = await more()
        if (part === undefined) return undefined
        parts.push(part)
        size += part.length
      }
      const all = parts.length === 1 ? held : Buffer.concat(parts)
      held = all.subarray(length)
      return all.subarray(0, length)
    },
    async skip(length) {
      let left = length
      while (left > held.length) {
        left -= held.length
        const part = await more()
        if (part === undefined) return false
        held = part
      }
      held = held.subarray(left)
      return true
    },
  }
}
