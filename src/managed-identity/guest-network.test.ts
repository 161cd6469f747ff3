import assert from 'node:assert/strict'
import { duplexPair, type Duplex } from 'node:stream'
import { suite, test } from 'node:test'
import { setImmediate as soon } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import { serveGuestNetwork } from './guest-network.ts'
import { checksum, formatIpv4, formatTcp, parseIpv4, parseTcp, protocol, tcpFlag, type TcpSegment } from './packets.ts'

const guest = 0xa9fe0010
const service = 0xa9fea9fe
const { syn, ack, fin, rst } = tcpFlag

/** A guest of raw segments, at a clock that it turns itself. */
function openCable() {
  const [near, far] = duplexPair()
  let nowMs = 0
  let tick: () => void = () => {}
  const clock: Clock = { now: () => nowMs, sleep: () => new Promise<void>((resolve) => (tick = resolve)) }
  const streams: Duplex[] = []
  serveGuestNetwork(near, clock, (stream) => streams.push(stream))
  const got: Buffer[] = []
  let waiting = Buffer.alloc(0)
  far.on('data', (part: Buffer) => {
    waiting = Buffer.concat([waiting, part])
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
      const length = waiting.readUInt32BE(0)
      got.push(waiting.subarray(4, 4 + length))
      waiting = waiting.subarray(4 + length)
    }
  })
  const sendFrame = (frame: Buffer): void => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(frame.length)
    far.write(Buffer.concat([head, frame]))
  }
  return {
    near,
    far,
    streams,
    sendFrame,
    async frames(): Promise<readonly Buffer[]> {
      for (let round = 0; round < 10; round++) await soon()
      return got.splice(0)
    },
    async segments(): Promise<readonly TcpSegment[]> {
      return (await this.frames()).map((frame) => {
        const packet = parseIpv4(frame.subarray(14))
        assert.ok(packet?.target === guest)
        const segment = parseTcp(packet.payload)
        assert.ok(segment)
        return segment
      })
    },
    send(given: Partial<TcpSegment>): void {
      const plain = { sourcePort: 4000, targetPort: 80, sequence: 0, acknowledged: 0, flags: ack, window: 1_000 }
      const segment = { ...plain, maximumBytes: undefined, payload: Buffer.alloc(0), ...given }
      const payload = formatTcp(segment, guest, service)
      const packet = formatIpv4({ source: guest, target: service, protocol: protocol.tcp, payload })
      sendFrame(Buffer.concat([Buffer.from('525400a9fe01525400000001', 'hex'), Buffer.from([8, 0]), packet]))
    },
    async pass(ms: number): Promise<void> {
      nowMs += ms
      tick()
      await soon()
    },
  }
}

type Cable = ReturnType<typeof openCable>

/** Opens a connection; answers the server's next sequence number. */
async function connect(cable: Cable, sourcePort = 4000): Promise<number> {
  cable.send({ sourcePort, sequence: 99, flags: syn, maximumBytes: 400 })
  const [answer] = await cable.segments()
  assert.equal(answer?.flags, syn | ack)
  assert.equal(answer?.acknowledged, 100)
  const next = ((answer?.sequence ?? 0) + 1) >>> 0
  cable.send({ sourcePort, sequence: 100, acknowledged: next })
  return next
}

const flagsOf = (segments: readonly TcpSegment[]): readonly number[] =>
  segments.map(({ flags }) => flags & ~tcpFlag.push)

suite('the network of a guest', () => {
  test('a conversation: in order, repeated and early segments, both ends of it', async () => {
    const cable = openCable()
    const next = await connect(cable)
    const [stream] = cable.streams
    assert.ok(stream)
    let heard = ''
    let hasEnded = false
    stream.on('data', (part: Buffer) => (heard += part.toString()))
    stream.on('end', () => (hasEnded = true))
    cable.send({ sequence: 103, acknowledged: next, payload: Buffer.from('early') })
    cable.send({ sequence: 100, acknowledged: next, payload: Buffer.from('one') })
    cable.send({ sequence: 100, acknowledged: next, payload: Buffer.from('one two') })
    cable.send({ sequence: 107, acknowledged: next, flags: ack | fin })
    assert.deepEqual(
      (await cable.segments()).map(({ acknowledged }) => acknowledged),
      [100, 103, 107, 108],
    )
    assert.deepEqual([heard, hasEnded], ['one two', true])
    stream.end('bye')
    const said = await cable.segments()
    assert.equal(said.map(({ payload }) => payload.toString()).join(''), 'bye')
    assert.equal(flagsOf(said).at(-1), ack | fin)
    cable.send({ sequence: 108, acknowledged: (next + 4) >>> 0 })
    await cable.frames()
    assert.ok(stream.destroyed)
    cable.send({ sequence: 108, acknowledged: (next + 4) >>> 0 })
    assert.deepEqual(flagsOf(await cable.segments()), [rst | ack], 'nothing is left of it')
  })

  test('what the guest did not acknowledge is sent again, within its window and its longest segment', async () => {
    const cable = openCable()
    const next = await connect(cable)
    const text = Buffer.from('x'.repeat(1_200))
    const [stream] = [...cable.streams]
    await cable.frames()
    cable.streams[0]?.write(text)
    assert.deepEqual(
      (await cable.segments()).map(({ payload }) => payload.length),
      [400, 400, 200],
      'the window is 1,000',
    )
    await cable.pass(1_500)
    const [again] = await cable.segments()
    assert.deepEqual([again?.sequence, again?.payload.length], [next, 400])
    cable.send({ sequence: 100, acknowledged: (next + 1_000) >>> 0, window: 0 })
    assert.deepEqual(await cable.segments(), [], 'a closed window')
    await cable.pass(1_500)
    assert.deepEqual(
      (await cable.segments()).map(({ payload }) => payload.length),
      [1],
      'is tried with a byte',
    )
    cable.send({ sequence: 100, acknowledged: (next + 1_000) >>> 0, window: 500 })
    assert.equal((await cable.segments())[0]?.payload.length, 199)
    for (let round = 0; round < 12; round++) await cable.pass(40_000)
    assert.ok(stream?.destroyed, 'a silent guest is given up')
  })

  test('connections do not meet; a port that is used again begins anew; others are refused', async () => {
    const cable = openCable()
    const first = await connect(cable, 4000)
    const second = await connect(cable, 4001)
    await cable.frames()
    cable.streams[1]?.write('second')
    cable.streams[0]?.write('first')
    const said = (await cable.segments()).map(({ targetPort, payload }) => [targetPort, payload.toString()])
    assert.deepEqual(said, [
      [4001, 'second'],
      [4000, 'first'],
    ])
    cable.send({ sourcePort: 4000, sequence: 5_000, flags: syn })
    assert.deepEqual(flagsOf(await cable.segments()), [rst | ack, syn | ack])
    assert.ok(cable.streams[0]?.destroyed)
    cable.send({ sourcePort: 4001, sequence: 100, acknowledged: second, flags: rst })
    await cable.frames()
    assert.ok(cable.streams[1]?.destroyed)
    cable.send({ sourcePort: 4002, targetPort: 443, sequence: 7, flags: syn })
    const [refused] = await cable.segments()
    assert.deepEqual([refused?.flags, refused?.acknowledged], [rst | ack, 8])
    for (let sourcePort = 5_000; sourcePort < 5_100; sourcePort++) cable.send({ sourcePort, sequence: 1, flags: syn })
    const answers = flagsOf(await cable.segments())
    assert.equal(answers.filter((flags) => flags === (syn | ack)).length, 63)
    assert.ok(first !== second)
    cable.far.destroy()
    cable.near.destroy()
    await cable.frames()
    assert.ok(cable.streams.every((stream) => stream.destroyed))
  })

  test('frames of rubbish are dropped, a stream that is none of frames is cut', async () => {
    const cable = openCable()
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    const heads = ['0800', '0806', '86dd'].map((type) => Buffer.from(`525400a9fe01525400000001${type}`, 'hex'))
    for (let round = 0; round < 2_000; round++) {
      const body = Buffer.from(Array.from({ length: random(120) }, () => random(256)))
      if (body.length > 20 && round % 2 === 0) {
        body.set([0x45, 0, 0, body.length], 0)
        body.set([0, 0, 64, round % 4 === 0 ? 6 : 17], 6)
        body.writeUInt32BE(service, 16)
      }
      cable.sendFrame(Buffer.concat([heads[random(3)] ?? Buffer.alloc(0), body]).subarray(random(3)))
    }
    await cable.frames()
    assert.ok(!cable.near.destroyed)
    cable.far.write(Buffer.alloc(8, 0xff))
    await cable.frames()
    assert.ok(cable.near.destroyed)
  })

  test('checksums are those of RFC 1071', () => {
    assert.equal(checksum([Buffer.from('0001f203f4f5f6f7', 'hex')]), 0x220d)
    const packet = formatIpv4({ source: guest, target: service, protocol: 6, payload: Buffer.from('odd') })
    assert.equal(checksum([packet.subarray(0, 20)]), 0)
  })
})
