import { MiB } from '../base/units.ts'

/** What a memo asks its database: another number after every commit, by this process or another. */
export interface Revised {
  revision(): number
}

/**
 * Answers what `read` answered, as long as nothing was committed since. `sizeOf` is about how many characters an answer
 * holds, where that is more than a few.
 */
export type ReadMemo = <T>(key: string, read: () => Promise<T>, sizeOf?: (answer: T) => number) => Promise<T>

/** Reads every time: for databases that cannot tell whether anything was committed. */
export const noMemo: ReadMemo = (_key, read) => read()

/** What an answer counts for by itself: its key, and the memory of a small object. */
const smallSize = 256

interface Kept {
  readonly reading: Promise<unknown>
  size: number
}

/**
 * Keeps the answers of reads that every request repeats (the subscription, the caller's rights, the row that is shown)
 * until anything at all is committed: asking for the revision costs 5 µs, so an answer is never older than the question.
 * What is kept must not be changed by whoever gets it. `key` names the question; answers of about `limit` characters in
 * all are kept, those that were asked for last.
 */
export function createReadMemo(database: Revised, limit = 48 * MiB): ReadMemo {
  let revision = -1
  let kept = new Map<string, Kept>()
  let size = 0
  const forget = (key: string, one: Kept): void => {
    // Not another answer to the same question, nor one among those of a later revision.
    if (kept.get(key) !== one) return
    kept.delete(key)
    size -= one.size
  }
  const grow = (one: Kept, by: number): void => {
    one.size += by
    size += by
    for (const [key, oldest] of kept) {
      if (size <= limit) return
      forget(key, oldest)
    }
  }
  return async <T>(key: string, read: () => Promise<T>, sizeOf?: (answer: T) => number): Promise<T> => {
    const now = database.revision()
    if (now !== revision) {
      revision = now
      size = 0
      // A new map, not an emptied one: a read that is still under way must not land among newer answers.
      kept = new Map()
    }
    const found = kept.get(key)
    if (found !== undefined) {
      kept.delete(key)
      kept.set(key, found)
      return found.reading as Promise<T>
    }
    const reading = read()
    const one: Kept = { reading, size: 0 }
    kept.set(key, one)
    grow(one, smallSize)
    try {
      const answer = await reading
      if (sizeOf && kept.get(key) === one) grow(one, sizeOf(answer))
      return answer
    } catch (error) {
      // A failure is asked again.
      forget(key, one)
      throw error
    }
  }
}
