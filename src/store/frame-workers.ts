import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { problemFromRecord } from '../base/problem.ts'
import { frameSizeBytes } from './disk-store.ts'
import type { FrameJob, JobFailure, JobReply, JobRequest, JobResults } from './frame-jobs.ts'

/** One worker thread; jobs that belong together (scan, then encode) go to the same one. */
export interface FrameWorker {
  run<K extends FrameJob['kind']>(
    job: Extract<FrameJob, { kind: K }>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<JobResults[K]>
}

export interface FrameWorkers extends AsyncDisposable {
  readonly count: number
  /** The worker with the fewest jobs. */
  pick(): FrameWorker
  all(): readonly FrameWorker[]
  /** Lends shared memory for the frames of one fetch job; it is the borrower's until the promise has settled. */
  withSlab<T>(work: (slab: SharedArrayBuffer) => Promise<T>): Promise<T>
  /** A number never used before in this pool: keys of images and batches. */
  nextId(): number
}

interface Waiter {
  resolve(result: unknown): void
  reject(error: unknown): void
}

function errorFrom(failure: JobFailure): Error {
  if (failure.problem) return problemFromRecord(failure.problem)
  const error = new Error(failure.message)
  error.name = failure.name
  return failure.code === undefined ? error : Object.assign(error, { code: failure.code })
}

interface Slot extends FrameWorker {
  load(): number
  stop(): Promise<void>
}

function createSlot(nextId: () => number): Slot {
  const waiting = new Map<number, Waiter>()
  let worker: Worker | undefined
  const start = (): Worker => {
    const started = new Worker(new URL('./frame-worker.ts', import.meta.url))
    const fail = (error: unknown): void => {
      if (worker === started) worker = undefined
      const lost = [...waiting.values()]
      waiting.clear()
      for (const waiter of lost) waiter.reject(error)
    }
    started.on('message', (reply: JobReply) => {
      const waiter = waiting.get(reply.id)
      waiting.delete(reply.id)
      // An idle worker must not keep the process alive.
      if (waiting.size === 0) started.unref()
      if (reply.ok) waiter?.resolve(reply.result)
      else waiter?.reject(errorFrom(reply.failure))
    })
    started.on('error', fail)
    started.on('exit', (code) => fail(new Error(`frame worker ended with code ${code}`)))
    started.unref()
    return started
  }
  return {
    load: () => waiting.size,
    run<K extends FrameJob['kind']>(job: Extract<FrameJob, { kind: K }>, transfer: readonly ArrayBuffer[] = []) {
      worker ??= start()
      const to = worker
      return new Promise<JobResults[K]>((resolve, reject) => {
        const request: JobRequest = { id: nextId(), job }
        waiting.set(request.id, { resolve: (result) => resolve(result as JobResults[K]), reject })
        to.ref()
        to.postMessage(request, transfer)
      })
    },
    async stop() {
      const last = worker
      worker = undefined
      // An unreferenced thread would let the process end before it is told that the thread has ended.
      last?.ref()
      await last?.terminate()
    },
  }
}

/** Frames of one fetch job: enough to make a message worth it, few enough to keep all cores busy on one read. */
export const framesPerFetch = 32

/** Memory that is used again and again instead of being collected: reads would else make 64 KiB of garbage a frame. */
function createSlabs(keep: number) {
  const spare: SharedArrayBuffer[] = []
  return async function withSlab<T>(work: (slab: SharedArrayBuffer) => Promise<T>): Promise<T> {
    const slab = spare.pop() ?? new SharedArrayBuffer(framesPerFetch * frameSizeBytes)
    let isDone = false
    try {
      const result = await work(slab)
      isDone = true
      return result
    } finally {
      // After a failure a worker may still be writing: such memory is not lent again.
      if (isDone && spare.length < keep) spare.push(slab)
    }
  }
}

/** Each thread has a heap and buffers of its own: with more of them the server would not stay below 512 MiB. */
const mostWorkers = 4

/** The pool that all stores of a server share; threads start with their first job. */
export function createFrameWorkers(count = Math.min(availableParallelism(), mostWorkers)): FrameWorkers {
  let last = 0
  const nextId = (): number => (last += 1)
  const slots = Array.from({ length: Math.max(1, count) }, () => createSlot(nextId))
  return {
    count: slots.length,
    all: () => slots,
    nextId,
    withSlab: createSlabs(slots.length * 2 + 2),
    pick: () => slots.reduce((best, slot) => (slot.load() < best.load() ? slot : best)),
    async [Symbol.asyncDispose]() {
      await Promise.all(slots.map((slot) => slot.stop()))
    },
  }
}
