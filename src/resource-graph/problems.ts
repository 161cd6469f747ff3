import { defineProblems } from '../base/problem.ts'

/** Azure says BadRequest, and in `details` what is wrong; our message says it at once. */
export const resourceGraphProblems = defineProblems({
  InvalidQuery: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { reason: string; at: number }) =>
      `The query is invalid or not supported at character ${f.at}: ${f.reason} Supported are where, project, extend, order by, limit, take, top, distinct and count over Resources, ResourceContainers and CommunityGalleryResources.`,
  },
  InvalidOption: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { option: string; reason: string }) => `The option '${f.option}' of the query is invalid: ${f.reason}`,
  },
})
