import type { TransferProgress } from './disk-store.ts'

export type Figures = { -readonly [K in keyof TransferProgress]: TransferProgress[K] }

/** Nothing is done yet. */
export function startFigures(bytesTotal = 0): Figures {
  return { bytesTotal, bytesDone: 0, bytesRead: 0, bytesNew: 0, bytesSent: 0, bytesStored: 0 }
}

/** Adds up what a transfer did and tells its caller; figures only grow. */
export function createProgress(onProgress: ((progress: TransferProgress) => void) | undefined, bytesTotal: number) {
  const figures = startFigures(bytesTotal)
  return {
    add(delta: Partial<TransferProgress>): void {
      figures.bytesDone += delta.bytesDone ?? 0
      figures.bytesRead += delta.bytesRead ?? 0
      figures.bytesNew += delta.bytesNew ?? 0
      figures.bytesSent += delta.bytesSent ?? 0
      figures.bytesStored += delta.bytesStored ?? 0
      onProgress?.({ ...figures })
    },
    current: (): TransferProgress => ({ ...figures }),
  }
}
