/**
 * Starts at most `limit` items at once and hands their results to `consume` one by one in the order of the items.
 * After a failure nothing new is started, and it throws only when everything that was started has ended.
 */
export async function slidingWindow<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  start: (item: T) => Promise<R>,
  consume: (result: R) => Promise<void>,
): Promise<void> {
  const running: Promise<R>[] = []
  const consumeNext = async (): Promise<void> => {
    const next = running.shift()
    if (next) await consume(await next)
  }
  try {
    for await (const item of items) {
      const started = start(item)
      // Awaited in its turn; until then its failure must not count as unhandled.
      started.catch(() => {})
      running.push(started)
      if (running.length >= limit) await consumeNext()
    }
    while (running.length > 0) await consumeNext()
  } finally {
    await Promise.allSettled(running)
  }
}
