import koffi from 'koffi'

/** Parameters of glibc's `mallopt` (malloc.h). */
const mmapThreshold = -3
const arenaMax = -8
const largeBytes = 64 * 1024

/**
 * Lets large buffers go back to the system as soon as they are freed: glibc would otherwise learn from the first of them to
 * keep them, and the process would look as large as its busiest moment (measured while a disk is pushed: 500 MiB, so
 * 465). False where there is no such call (musl, macOS): then the memory is kept, and that is all.
 */
export function returnFreedMemory(): boolean {
  try {
    const mallopt: (parameter: number, value: number) => number = koffi
      .load(null)
      .func('int mallopt(int parameter, int value)')
    return mallopt(mmapThreshold, largeBytes) === 1 && mallopt(arenaMax, 2) === 1
  } catch {
    return false
  }
}
