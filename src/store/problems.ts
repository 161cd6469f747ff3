import { defineProblems, Problem } from '../base/problem.ts'

export const storeProblems = defineProblems({
  StorageFull: {
    kind: 'storageFull',
    say: (f: { place: string }) =>
      `The storage of ${f.place} is full, so nothing more can be written there. What was acknowledged is safe. ` +
      `Free or add disk space for that region, or delete image versions there, then try again.`,
  },
  StorageFailed: {
    kind: 'unavailable',
    say: (f: { place: string; reason: string }) =>
      `The storage of ${f.place} failed (${f.reason}). What was acknowledged is safe. ` +
      `Check the disk behind that region, then try again.`,
  },
  StorageInUse: {
    kind: 'conflict',
    say: (f: { place: string; holder: string }) =>
      `The storage of ${f.place} is in use by another server${f.holder}. ` +
      `Stop that server, or give this one a data folder of its own.`,
  },
  RegionUnknown: {
    kind: 'invalid',
    say: (f: { region: string; known: string }) =>
      `Region '${f.region}' has no storage on this server. Known regions: ${f.known}. Use one of them, or configure it.`,
  },
  KeyNotAvailable: {
    kind: 'conflict',
    say: (f: { vault: string }) =>
      `The store with the data key '${f.vault}' is locked: its key is not available. Put the key back, then try again.`,
  },
  ZonesMissing: {
    kind: 'invalid',
    say: (f: { region: string }) =>
      `Region '${f.region}' has no three availability zones, so it cannot hold Standard_ZRS. ` +
      `Use Standard_LRS or Premium_LRS there, or a region with zones.`,
  },
})

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Turns what the operating system or SQLite said into a Problem; anything else passes as it is. */
export function asStorageProblem(error: unknown, place: string): unknown {
  if (error instanceof Problem || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const sqlite = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
  if (fullCodes.has(code) || sqlite === 13) return storeProblems.StorageFull({ place }, { cause: error })
  // SQLite's own words for the same: 8 read-only, 10 I/O error, 14 cannot open.
  if ([8, 10, 14].includes(sqlite))
    return storeProblems.StorageFailed({ place, reason: `index error ${sqlite}` }, { cause: error })
  if (/^E[A-Z]+$/.test(code)) return storeProblems.StorageFailed({ place, reason: code }, { cause: error })
  return error
}
