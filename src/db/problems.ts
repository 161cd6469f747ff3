import { defineProblems } from '../base/problem.ts'

/** Why a database does not open. The file is named without its folder. */
export const dbProblems = defineProblems({
  DatabaseNewer: {
    kind: 'unavailable',
    say: (f: { file: string; migration: string }) =>
      `The database '${f.file}' was written by a newer Goldleaf (it has the migration '${f.migration}', unknown to ` +
      'this version). Start the newer version, or restore a backup that this version made.',
  },
  DatabaseCorrupt: {
    kind: 'unavailable',
    say: (f: { file: string }) =>
      `The database '${f.file}' is damaged or is not a Goldleaf database. Restore it from a backup, or move it away ` +
      'to begin anew; it was left as it is.',
  },
  DatabaseUnreadable: {
    kind: 'unavailable',
    say: (f: { file: string }) =>
      `The database '${f.file}' cannot be opened. Check that its folder exists, that this user may write in it and ` +
      'that the disk is not full.',
  },
})
