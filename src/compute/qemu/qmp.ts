import type { Readable, Writable } from 'node:stream'
import { createInterface } from 'node:readline'
import { isJsonObject, type JsonObject } from '../../base/json.ts'

/** QEMU's control connection: one JSON document a line (qemu: docs/interop/qmp-spec.rst). */
export interface Qmp {
  /** Resolves with the command's `return`; rejects with QEMU's own words, or when the connection ends. */
  run(command: string, args?: JsonObject): Promise<unknown>
  onEvent(listener: (name: string, data: JsonObject) => void): void
}

/** Talks over the pipes of a QEMU that was started with QMP on its stdio; resolves when it is ready for commands. */
export async function openQmp(output: Readable, input: Writable): Promise<Qmp> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const listeners: ((name: string, data: JsonObject) => void)[] = []
  let nextId = 1
  let greet: () => void = () => {}
  let refuse: (error: Error) => void = () => {}
  const greeted = new Promise<void>((resolve, reject) => {
    greet = resolve
    refuse = reject
  })
  const lines = createInterface({ input: output, crlfDelay: Infinity })
  lines.on('line', (line) => {
    const message = parseMessage(line)
    if (message === undefined) return
    if ('QMP' in message) return greet()
    if (typeof message['event'] === 'string') {
      const data = isJsonObject(message['data']) ? message['data'] : {}
      for (const listener of listeners) listener(message['event'], data)
      return
    }
    const call = waiting.get(Number(message['id']))
    waiting.delete(Number(message['id']))
    const { error } = message
    if (isJsonObject(error)) call?.reject(new Error(`QEMU: ${JSON.stringify(error['desc'])}`))
    else call?.resolve(message['return'])
  })
  let closed = false
  const end = (): void => {
    closed = true
    const error = new Error('QEMU ended its control connection')
    refuse(error)
    for (const call of waiting.values()) call.reject(error)
    waiting.clear()
  }
  lines.on('close', end)
  // A QEMU that is gone makes writes fail with EPIPE; `close` tells those who wait.
  input.on('error', () => {})
  const qmp: Qmp = {
    run(command, args) {
      if (closed) return Promise.reject(new Error('QEMU ended its control connection'))
      const id = nextId++
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        input.write(`${JSON.stringify({ execute: command, id, ...(args ? { arguments: args } : {}) })}\n`)
      })
    },
    onEvent: (listener) => void listeners.push(listener),
  }
  await greeted
  await qmp.run('qmp_capabilities')
  return qmp
}

function parseMessage(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
