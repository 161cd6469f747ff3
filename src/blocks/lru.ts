/** Keeps the most recently asked-for values; what makes a value that fails is not kept. */
export function createLru<K, V extends Promise<unknown>>(
  capacity: number,
): { get(key: K, make: () => V): V } {
  const kept = new Map<K, V>()
  return {
    get(key, make) {
      const known = kept.get(key)
      if (known !== undefined) {
        kept.delete(key)
        kept.set(key, known)
        return known
      }
      const value = make()
      kept.set(key, value)
      value.catch(() => {
        if (kept.get(key) === value) kept.delete(key)
      })
      for (const oldest of kept.keys()) {
        if (kept.size <= capacity) break
        kept.delete(oldest)
      }
      return value
    },
  }
}
