import { Duplex } from 'node:stream'
import { tcpFlag, type TcpSegment } from './packets.ts'

/** What a connection has to do with the network. */
export interface TcpWay {
  readonly nowMs: () => number
  send(segment: Omit<TcpSegment, 'sourcePort' | 'targetPort'>): void
  /** It has ended, one way or another. */
  onGone(): void
}

const ownMaximumBytes = 1460
/** Without the option, by RFC 9293. */
const defaultMaximumBytes = 536
const window = 65_535
const longestBacklog = 256 * 1024
const queueBytes = 64 * 1024
const firstRetryMs = 1_000
const mostRetries = 6
const longestIdleMs = 60_000

const empty = Buffer.alloc(0)
/** How far `a` is behind `b` in the circle of sequence numbers: negative where it is before it. */
const distance = (a: number, b: number): number => (a - b) | 0

/**
 * The server's end of one TCP connection (RFC 9293), as a stream. The link to the guest loses nothing and keeps the order,
 * so that segments out of order are not kept but asked for again, and there is no control of congestion; retransmission,
 * windows and both ways of closing are as they must be.
 */
export class GuestConnection extends Duplex {
  readonly #way: TcpWay
  readonly #mostBytes: number
  readonly #firstSequence: number
  /** What comes next from the guest. */
  #expected: number
  /** The first byte that the guest has not acknowledged, and how many bytes behind it were sent (SYN and FIN count). */
  #unacknowledged: number
  #sentBytes = 0
  #waiting: Buffer = empty
  #peerWindow: number
  #isOpen = false
  #hasEnded = false
  #finIsSent = false
  #finIsKnown = false
  #guestHasEnded = false
  #onRoom: (() => void) | undefined
  #onFinish: (() => void) | undefined
  #retries = 0
  #retryAtMs = 0
  #heardMs: number

  /** For a SYN of the guest; answers it. */
  constructor(syn: TcpSegment, firstSequence: number, way: TcpWay) {
    super({ allowHalfOpen: true })
    this.#way = way
    this.#mostBytes = Math.max(64, Math.min(ownMaximumBytes, syn.maximumBytes ?? defaultMaximumBytes))
    this.#expected = (syn.sequence + 1) >>> 0
    this.#firstSequence = firstSequence
    this.#unacknowledged = firstSequence
    this.#peerWindow = syn.window
    this.#heardMs = way.nowMs()
    this.#sendSyn()
  }

  /** Whether a SYN begins another connection than this one. */
  isOther(syn: TcpSegment): boolean {
    return this.#isOpen || (syn.sequence + 1) >>> 0 !== this.#expected
  }

  receive(segment: TcpSegment): void {
    const { flags } = segment
    this.#heardMs = this.#way.nowMs()
    if (flags & tcpFlag.rst) {
      if (segment.sequence === this.#expected) this.#vanish()
      return
    }
    if (flags & tcpFlag.syn) return this.#sendSyn()
    if (!(flags & tcpFlag.ack)) return
    this.#takeAcknowledgement(segment)
    if (this.#isOpen) this.#takePayload(segment)
    this.#flush()
    if (this.#finIsKnown) {
      this.#onFinish?.()
      this.#onFinish = undefined
    }
  }

  /** Called twice a second: sends again what was not acknowledged, and gives up guests that are silent. */
  tick(): void {
    const nowMs = this.#way.nowMs()
    if (nowMs - this.#heardMs > longestIdleMs) return void this.destroy()
    const owes = this.#sentBytes > 0 || this.#waiting.length > 0
    if (!owes || nowMs < this.#retryAtMs) return
    if (++this.#retries > mostRetries) return void this.destroy()
    this.#planRetry()
    if (!this.#isOpen) return this.#sendSyn()
    // A closed window is tried with one byte.
    const bytes = this.#waiting.subarray(0, Math.max(1, Math.min(this.#mostBytes, this.#peerWindow)))
    const isLast = this.#finIsSent && bytes.length === this.#waiting.length
    this.#sentBytes = Math.max(this.#sentBytes, bytes.length + (isLast ? 1 : 0))
    this.#send(this.#unacknowledged, tcpFlag.ack | (isLast ? tcpFlag.fin : 0), bytes)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#waiting = Buffer.concat([this.#waiting, chunk])
    this.#flush()
    if (this.#waiting.length < queueBytes) done()
    else this.#onRoom = done
  }

  override _final(done: () => void): void {
    // Not before the guest knows: a stream that has finished and ended is destroyed.
    this.#onFinish = done
    this.#hasEnded = true
    this.#flush()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!(this.#finIsKnown && this.#guestHasEnded))
      this.#send((this.#unacknowledged + this.#sentBytes) >>> 0, tcpFlag.rst | tcpFlag.ack)
    this.#way.onGone()
    done(error)
  }

  /** Without a word to the guest, which knows. */
  #vanish(): void {
    this.#finIsKnown = true
    this.#guestHasEnded = true
    this.destroy()
  }

  #takeAcknowledgement({ acknowledged, window: offered }: TcpSegment): void {
    const confirmed = distance(acknowledged, this.#unacknowledged)
    if (confirmed < 0 || confirmed > this.#sentBytes) return
    this.#peerWindow = offered
    if (confirmed === 0) return
    let bytes = confirmed
    if (!this.#isOpen) {
      this.#isOpen = true
      bytes -= 1
    }
    if (this.#finIsSent && bytes > this.#waiting.length) this.#finIsKnown = true
    this.#waiting = this.#waiting.subarray(Math.min(bytes, this.#waiting.length))
    this.#unacknowledged = acknowledged
    this.#sentBytes -= confirmed
    this.#retries = 0
    this.#planRetry()
    if (this.#waiting.length < queueBytes) {
      this.#onRoom?.()
      this.#onRoom = undefined
    }
  }

  #takePayload({ sequence, payload, flags }: TcpSegment): void {
    const hasFin = (flags & tcpFlag.fin) !== 0
    if (payload.length === 0 && !hasFin) return
    const known = distance(this.#expected, sequence)
    const isNext = known >= 0 && known <= payload.length && !this.#guestHasEnded
    // Nobody reads it: the guest will send it again.
    if (this.readableLength > longestBacklog) return
    if (isNext) {
      const news = payload.subarray(known)
      this.#expected = (this.#expected + news.length + (hasFin ? 1 : 0)) >>> 0
      // A copy: the frame's memory is used again.
      if (news.length > 0) this.push(Buffer.from(news))
      if (hasFin) {
        this.#guestHasEnded = true
        this.push(null)
      }
    }
    this.#send((this.#unacknowledged + this.#sentBytes) >>> 0, tcpFlag.ack)
  }

  /** Sends what the guest's window has room for. */
  #flush(): void {
    if (!this.#isOpen || this.destroyed) return
    if (this.#sentBytes === 0) this.#planRetry()
    while (!this.#finIsSent) {
      const room = Math.min(this.#peerWindow - this.#sentBytes, this.#mostBytes)
      const bytes = this.#waiting.subarray(this.#sentBytes, this.#sentBytes + Math.max(0, room))
      const isLast = this.#hasEnded && this.#sentBytes + bytes.length === this.#waiting.length
      if (bytes.length === 0 && !isLast) return
      const sequence = (this.#unacknowledged + this.#sentBytes) >>> 0
      this.#sentBytes += bytes.length + (isLast ? 1 : 0)
      this.#finIsSent = isLast
      this.#send(sequence, tcpFlag.ack | tcpFlag.push | (isLast ? tcpFlag.fin : 0), bytes)
    }
  }

  #planRetry(): void {
    this.#retryAtMs = this.#way.nowMs() + firstRetryMs * 2 ** this.#retries
  }

  #sendSyn(): void {
    this.#sentBytes = Math.max(1, this.#sentBytes)
    if (this.#retries === 0) this.#planRetry()
    const flags = tcpFlag.syn | tcpFlag.ack
    const acknowledged = this.#expected
    this.#way.send({
      sequence: this.#firstSequence,
      acknowledged,
      flags,
      window,
      maximumBytes: ownMaximumBytes,
      payload: empty,
    })
  }

  #send(sequence: number, flags: number, payload: Buffer = empty): void {
    this.#way.send({ sequence, acknowledged: this.#expected, flags, window, maximumBytes: undefined, payload })
  }
}
