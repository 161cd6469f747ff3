import { blake3 } from '@napi-rs/blake-hash'

/**
 * Rendezvous hashing: every node ranks the places for a key alike, and a place that comes or goes moves only its own
 * share. Answers indexes into `places`, best first.
 */
export function rankPlaces(key: string, places: readonly string[]): number[] {
  const scores = places.map((place) => blake3(`${place}\0${key}`))
  const scoreOf = (index: number): Buffer => scores[index] ?? Buffer.alloc(0)
  return [...places.keys()].sort((a, b) => Buffer.compare(scoreOf(b), scoreOf(a)) || a - b)
}

/** Puts a disk where most of its frames are already (dedup works inside a stamp only); else by rank. */
export function preferPlaces(ranked: readonly number[], found: readonly number[]): number[] {
  return ranked.toSorted((a, b) => (found[b] ?? 0) - (found[a] ?? 0))
}
