import { defineProblems } from '../base/problem.ts'

const grammar =
  "Supported are eventTimestamp ge and le '…', and one or more of resourceGroupName, resourceUri, resourceProvider, " +
  "correlationId, caller and status eq '…', joined by 'and'."

/** Refusals of the activity log; Azure Monitor answers BadRequest to all of them. */
export const activityProblems = defineProblems({
  FilterWrong: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { clause: string }) => `The $filter clause "${f.clause.slice(0, 200)}" is not supported. ${grammar}`,
  },
  StartTimeMissing: {
    kind: 'invalid',
    code: 'BadRequest',
    say: () => `The $filter needs a start time. Add "eventTimestamp ge '2026-01-31T00:00:00Z'". ${grammar}`,
  },
  TimesReversed: {
    kind: 'invalid',
    code: 'BadRequest',
    say: () => 'The start time of the $filter is after its end time. Exchange them.',
  },
  StartTimeTooOld: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { days: number }) =>
      `The start time cannot be more than ${f.days} days in the past: the activity log keeps no more. Ask for less.`,
  },
  SelectWrong: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { member: string; known: readonly string[] }) =>
      `The $select member '${f.member.slice(0, 100)}' does not exist. Choose from ${f.known.join(', ')}.`,
  },
})
