import { defineProblems } from '../base/problem.ts'

/** How operations end badly where no workflow says it better. */
export const workProblems = defineProblems({
  OperationNotFound: {
    kind: 'absent',
    say: (f: { id: string }) =>
      `The operation '${f.id}' was not found. Operations are kept for seven days after their end; check the id.`,
  },
  /** Azure's polling clients look at the status `Canceled`; this is the code beside it. */
  OperationCanceled: {
    kind: 'conflict',
    say: (f: { id: string }) =>
      `The operation '${f.id}' was canceled by request before it was done. Send the request again to do it.`,
  },
  StorageFull: {
    kind: 'storageFull',
    say: (f: { id: string; step: string }) =>
      `The operation '${f.id}' stopped at '${f.step}' because a disk of this server is full. ` +
      'Free space or add storage, then send the request again.',
  },
  ServiceUnavailable: {
    kind: 'unavailable',
    say: (f: { id: string; step: string; attempts: number }) =>
      `The operation '${f.id}' gave up at '${f.step}' after ${f.attempts} attempts: something that it needs did not ` +
      "answer. The server's log has the details under the operation's id. Send the request again later.",
  },
})
