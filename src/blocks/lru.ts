/** Keeps the most recently asked-for values by number, usually an offset; what makes a value that fails is not kept. */
export function createLru<V>(capacity: number): { get(key: number, make: () => Promise<V>): Promise<V> } {
  const kept = new Map<number, Promise<V>>()
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
