/** What a memo asks its database: another number after every commit, by this process or another. */
export interface Revised {
  revision(): number
}

/** Answers what `read` answered, as long as nothing was committed since. */
export type ReadMemo = <T>(key: string, read: () => Promise<T>) => Promise<T>

/** Reads every time: for databases that cannot tell whether anything was committed. */
export const noMemo: ReadMemo = (_key, read) => read()

/**
 * Keeps the answers of reads that every request repeats (the subscription, the caller's rights) until anything at all is
 * committed: asking for the revision costs 2 µs, so an answer is never older than the question. What is kept must not
 * be changed by whoever gets it. `key` names the question; at most `limit` answers are kept.
 */
export function createReadMemo(database: Revised, limit = 10_000): ReadMemo {
  let revision = -1
  let kept = new Map<string, Promise<unknown>>()
  return async <T>(key: string, read: () => Promise<T>): Promise<T> => {
    const now = database.revision()
    if (now !== revision || kept.size >= limit) {
      revision = now
      // A new map, not an emptied one: a read that is still under way must not land among newer answers.
      kept = new Map()
    }
    const found = kept.get(key) as Promise<T> | undefined
    if (found !== undefined) return found
    const own = kept
    const reading = read()
    own.set(key, reading)
    // A failure is asked again.
    reading.catch(() => own.delete(key))
    return reading
  }
}
