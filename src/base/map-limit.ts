/** Runs `work` over `items` with at most `limit` at once; results keep the order; the first error stops new work. */
export async function mapLimit<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const running = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  let index = 0
  for await (const item of items) {
    if (failure) break
    const at = index++
    const task = work(item, at).then(
      (result) => {
        results[at] = result
      },
      (error: unknown) => {
        failure ??= { error }
      },
    )
    const tracked = task.finally(() => running.delete(tracked))
    running.add(tracked)
    if (running.size >= limit) await Promise.race(running)
  }
  await Promise.all(running)
  if (failure) throw failure.error
  return results
}
