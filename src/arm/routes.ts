import type { HTTPMethods } from 'fastify'
import type { Answer, Call } from './call.ts'

/**
 * Registers an address of Resource Manager: who calls is known, and the activity log is told, before `run` is asked. A
 * read (GET, HEAD, or what is said to be one) leaves no event.
 */
export type Routes = (
  method: HTTPMethods | readonly HTTPMethods[],
  url: string,
  run: (call: Call) => Promise<Answer>,
  isRead?: boolean,
) => void

export const subscriptionPath = '/subscriptions/:subscriptionId'
