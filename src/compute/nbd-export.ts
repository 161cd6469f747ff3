import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '../base/logger.ts'
import { byteReader, type ByteReader } from './byte-reader.ts'
import * as nbd from './nbd-protocol.ts'

/** What an export reads from; `StoredDisk` is one: it answers verified bytes or throws. */
export interface ReadableDisk {
  readonly virtualSizeBytes: number
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
}

export interface NbdExportOptions {
  /** A unix socket in a folder that only this user can enter; at most 107 bytes. */
  readonly socketPath: string
  readonly exportName: string
  readonly disk: ReadableDisk
  readonly logger: Logger
}

/** Stops serving: closes connections and removes the socket. The disk stays open; it belongs to the caller. */
export interface NbdExport extends AsyncDisposable {
  close(): Promise<void>
}

// What one connection may have under way: QEMU keeps at most 16 requests in flight (MAX_NBD_REQUESTS), usually small.
const maxRequestsInFlight = 16
const maxBytesInFlight = 2 * nbd.maxReadBytes
const maxConnections = 16
const maxOptionBytes = 8192

/**
 * Serves a disk read-only over NBD on a unix socket. A read that fails is answered with EIO and logged: the guest sees
 * a disk error, never wrong bytes. Resolves when the socket accepts connections.
 */
export async function serveNbd(options: NbdExportOptions): Promise<NbdExport> {
  const stop = new AbortController()
  const sockets = new Set<Socket>()
  // A socket left by a killed process would make listen fail; the folder is private, so it can only be ours.
  await rm(options.socketPath, { force: true })
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    serveConnection(socket, options, stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted)
          options.logger.warn({ err: error, export: options.exportName }, 'nbd connection ended')
      })
      .finally(() => socket.destroySoon())
  })
  server.maxConnections = maxConnections
  await listen(server, options.socketPath)
  const close = async (): Promise<void> => {
    stop.abort(new Error('the export was closed'))
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { close, [Symbol.asyncDispose]: close }
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path)
  await once(server, 'listening')
  await chmod(path, 0o600)
}

async function serveConnection(socket: Socket, options: NbdExportOptions, stop: AbortSignal): Promise<void> {
  const reader = byteReader(socket)
  if (!(await negotiate(socket, reader, options))) return
  await transmit(socket, reader, options, stop)
}

/** Answers true when the client chose the export and requests follow. */
async function negotiate(socket: Socket, reader: ByteReader, options: NbdExportOptions): Promise<boolean> {
  socket.write(nbd.greeting())
  const flagBytes = await reader.take(nbd.clientFlagsBytes)
  const flags = flagBytes && nbd.parseClientFlags(flagBytes)
  if (!flags) return false
  for (;;) {
    const headerBytes = await reader.take(nbd.optionHeaderBytes)
    const header = headerBytes && nbd.parseOptionHeader(headerBytes)
    if (!header || header.length > maxOptionBytes) return false
    const data = await reader.take(header.length)
    if (!data) return false
    const { option } = header
    switch (option) {
      case nbd.optionCode.exportName:
        // The old way has no error answer: an unknown name can only be answered by hanging up.
        if (data.toString('utf8') !== options.exportName) return false
        socket.write(nbd.exportNameAnswer(options.disk.virtualSizeBytes, flags.noZeroes))
        return true
      case nbd.optionCode.info:
      case nbd.optionCode.go: {
        const name = nbd.parseInfoName(data)
        if (name === undefined) socket.write(nbd.optionInvalid(option))
        else if (name !== options.exportName) socket.write(nbd.optionUnknownExport(option))
        else {
          socket.write(nbd.optionInfo(option, options.disk.virtualSizeBytes))
          if (option === nbd.optionCode.go) return true
        }
        break
      }
      case nbd.optionCode.list:
        socket.write(nbd.optionServer(option, options.exportName))
        socket.write(nbd.optionAck(option))
        break
      case nbd.optionCode.abort:
        socket.end(nbd.optionAck(option))
        return false
      default:
        socket.write(nbd.optionUnsupported(option))
    }
  }
}

async function transmit(
  socket: Socket,
  reader: ByteReader,
  options: NbdExportOptions,
  stop: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let bytesInFlight = 0
  for (;;) {
    const bytes = await reader.take(nbd.requestBytes)
    const request = bytes && nbd.parseRequest(bytes)
    if (!request || request.type === nbd.command.disconnect) break
    if (request.type === nbd.command.write && !(await reader.skip(request.length))) break
    const refusal = refuse(request, options.disk.virtualSizeBytes)
    if (refusal !== undefined) {
      await send(socket, [nbd.simpleReply(request.handle, refusal)])
      continue
    }
    while (
      running.size >= maxRequestsInFlight ||
      (running.size > 0 && bytesInFlight + request.length > maxBytesInFlight)
    )
      await Promise.race(running)
    bytesInFlight += request.length
    const task = answerRead(socket, request, options, stop).finally(() => {
      bytesInFlight -= request.length
      running.delete(task)
    })
    running.add(task)
  }
  await Promise.all(running)
}

/** The error for a request that is no good READ; undefined for a good one. FLUSH of an unchanging disk succeeds. */
function refuse(request: nbd.Request, sizeBytes: number): number | undefined {
  switch (request.type) {
    case nbd.command.read:
      if (request.length === 0 || request.length > nbd.maxReadBytes) return nbd.nbdError.invalid
      if (request.offset + BigInt(request.length) > BigInt(sizeBytes)) return nbd.nbdError.invalid
      return undefined
    case nbd.command.flush:
      return nbd.nbdError.none
    case nbd.command.write:
    case nbd.command.trim:
    case nbd.command.writeZeroes:
      return nbd.nbdError.notPermitted
    default:
      return nbd.nbdError.invalid
  }
}

async function answerRead(
  socket: Socket,
  request: nbd.Request,
  options: NbdExportOptions,
  stop: AbortSignal,
): Promise<void> {
  const offset = Number(request.offset)
  let data: Uint8Array
  try {
    data = await options.disk.read(offset, request.length, stop)
    if (data.length !== request.length) throw new Error(`read ${data.length} bytes instead of ${request.length}`)
  } catch (error) {
    if (stop.aborted) return
    options.logger.error({ err: error, export: options.exportName, offset }, 'a disk cannot be read for its guest')
    await send(socket, [nbd.simpleReply(request.handle, nbd.nbdError.io)])
    return
  }
  await send(socket, [nbd.simpleReply(request.handle, nbd.nbdError.none), data])
}

/** Head and data go out together; waits while the client does not take them, so memory stays bounded. */
async function send(socket: Socket, parts: readonly Uint8Array[]): Promise<void> {
  if (socket.destroyed) return
  socket.cork()
  for (const part of parts) socket.write(part)
  process.nextTick(() => socket.uncork())
  if (!socket.writableNeedDrain) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}
