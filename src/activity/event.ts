import type { ProblemRecord } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import { withoutSecrets } from './without-secrets.ts'

export type EventStatus = 'Started' | 'Accepted' | 'Succeeded' | 'Failed'

/** Who did something, as far as it is known: nobody is, where the token was refused. */
export interface EventCaller {
  readonly name: string
  readonly objectId: string
  readonly tenantId: string
  readonly appId?: string | undefined
}

/** What was asked of which thing: `about` of request-subject.ts makes it from method and path. */
export interface EventSubject {
  /** `Microsoft.Compute/galleries/write`. */
  readonly operationName: string
  /** The thing's id as the caller wrote it. */
  readonly resourceId: string
  readonly resourceType: string
  readonly resourceProvider: string
  readonly resourceGroup: string | undefined
  /** Lower case; undefined on the level of the tenant. */
  readonly subscriptionId: string | undefined
}

/** One line of the activity log. Nothing in it may be a secret: there is no member for bodies, queries or tokens. */
export interface ActivityEvent extends EventSubject {
  readonly id: string
  readonly timestampMs: number
  readonly category: 'Administrative' | 'SignInLogs'
  readonly eventName: 'BeginRequest' | 'EndRequest'
  readonly status: EventStatus
  /** The HTTP status of the answer, where there was one. */
  readonly httpStatus?: number | undefined
  readonly tenantId: string
  readonly caller: EventCaller | undefined
  /** Joins everything that one intent of a client caused; `operationId` joins what one request caused. */
  readonly correlationId: string
  readonly operationId: string
  readonly clientRequestId?: string | undefined
  readonly clientIpAddress?: string | undefined
  readonly method?: string | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
  /** Further facts, as text. */
  readonly properties?: Readonly<Record<string, string>> | undefined
}

/** What all events of one request have in common. */
export type RequestFacts = EventSubject &
  Pick<
    ActivityEvent,
    'tenantId' | 'caller' | 'correlationId' | 'operationId' | 'clientRequestId' | 'clientIpAddress' | 'method'
  >

/** `BeginRequest`: somebody who may sign in asked for it; what came of it follows. */
export function startEvent(facts: RequestFacts, nowMs: number): ActivityEvent {
  return { ...facts, id: randomUuid(), timestampMs: nowMs, category, eventName: 'BeginRequest', status: 'Started' }
}

/** `EndRequest` of a request: what was answered. `isUnderWay`: its work goes on as an asynchronous operation. */
export function answerEvent(
  facts: RequestFacts,
  answer: { readonly httpStatus: number; readonly isUnderWay: boolean; readonly error?: ProblemRecord | undefined },
  nowMs: number,
): ActivityEvent {
  const { httpStatus, isUnderWay, error } = answer
  const ended = httpStatus < 400 ? 'Succeeded' : 'Failed'
  const status = isUnderWay ? 'Accepted' : ended
  const common = {
    id: randomUuid(),
    timestampMs: nowMs,
    category,
    eventName: 'EndRequest',
    status,
    httpStatus,
  } as const
  return { ...facts, ...common, ...(error === undefined ? {} : { error: shownError(error) }) }
}

/** `EndRequest` of an asynchronous operation; `begun` is any earlier event of it. */
export function operationEvent(
  begun: ActivityEvent,
  outcome: { readonly state: 'Succeeded' | 'Failed' | 'Canceled'; readonly error?: ProblemRecord | undefined },
  nowMs: number,
): ActivityEvent {
  const { httpStatus: _answered, error: _refusal, ...facts } = begun
  const status = outcome.state === 'Succeeded' ? 'Succeeded' : 'Failed'
  const common = { id: randomUuid(), timestampMs: nowMs, eventName: 'EndRequest', status } as const
  return { ...facts, ...common, ...(outcome.error === undefined ? {} : { error: shownError(outcome.error) }) }
}

const category = 'Administrative'
const longestMessage = 2_000

function shownError({ code, message }: ProblemRecord): { readonly code: string; readonly message: string } {
  return { code, message: withoutSecrets(message).slice(0, longestMessage) }
}
