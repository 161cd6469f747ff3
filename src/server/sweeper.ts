import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { DiskStore, DiskStores } from '../store/disk-store.ts'

/** Frees what nobody needs: soon after something was let go of, and now and then in any case. */
export interface Sweeper extends AsyncDisposable {
  /** Asks for a sweep soon; many requests become one. */
  request(): void
  /** Sweeps every store now, one after the other. */
  run(signal: AbortSignal): Promise<void>
}

export interface SweeperDependencies {
  readonly stores: DiskStores
  /** Roots that must stay, read from the database; asked for after each store has begun to watch its transfers. */
  readonly findLiveRoots: (store: DiskStore) => Promise<ReadonlySet<string>>
  readonly clock: Clock
  readonly logger: Logger
  /** How long to wait for more to be let go of. */
  readonly delayMs: number
}

export function createSweeper(deps: SweeperDependencies): Sweeper {
  const shutdown = new AbortController()
  let isRequested = false
  let running: Promise<void> = Promise.resolve()
  const run = (signal: AbortSignal): Promise<void> => {
    const next = running.then(() => sweepAll(deps, AbortSignal.any([signal, shutdown.signal])))
    running = next.catch(() => {})
    return next
  }
  return {
    run,
    request() {
      if (isRequested) return
      isRequested = true
      deps.clock
        .sleep(deps.delayMs, shutdown.signal)
        .then(() => {
          isRequested = false
          return run(shutdown.signal)
        })
        .catch((error: unknown) => {
          if (!shutdown.signal.aborted) deps.logger.error({ err: error }, 'sweep failed')
        })
    },
    async [Symbol.asyncDispose]() {
      shutdown.abort(new Error('the server is stopping'))
      await running
    },
  }
}

async function sweepAll(deps: SweeperDependencies, signal: AbortSignal): Promise<void> {
  for (const store of deps.stores.all()) {
    signal.throwIfAborted()
    const { bytesFreed } = await store.sweep(() => deps.findLiveRoots(store), signal)
    if (bytesFreed > 0)
      deps.logger.info({ region: store.region, storageClass: store.storageClass, bytesFreed }, 'space was freed')
  }
}
