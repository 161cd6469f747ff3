import type { Clock } from '../base/clock.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import { armProblems } from './problems.ts'

/** How many requests a caller may make; counted always, enforced only where that is switched on. */
export interface RateLimits {
  readonly isEnforced: boolean
  /** Per caller, subscription and hour. */
  readonly subscriptionReads: number
  readonly subscriptionWrites: number
  readonly subscriptionDeletes: number
}

/** Azure's numbers (behaviour.md A3), not enforced. */
export const defaultRateLimits: RateLimits = {
  isEnforced: false,
  subscriptionReads: 12_000,
  subscriptionWrites: 1_200,
  subscriptionDeletes: 15_000,
}

/** What Microsoft.Compute allows of a group of operations, per subscription, in 3 and in 30 minutes (behaviour.md A3). */
const computeGroups: Readonly<Record<string, readonly [in3Min: number, in30Min: number]>> = {
  CreateUpdateGallery: [50, 300],
  GetGallery: [350, 2_500],
  ListGalleryInResourceGroup: [100, 1_000],
  CreateUpdateGalleryImage: [150, 750],
  GetGalleryImage: [600, 3_000],
  CreateUpdateGalleryImageVersion: [375, 1_200],
  GetGalleryImageVersion: [2_000, 10_000],
  DeleteGalleryImageVersion: [150, 1_000],
  CreateUpdateGalleryApplication: [150, 750],
  GetGalleryApplication: [300, 2_000],
  ListGalleryApplicationsInGallery: [1_500, 10_000],
  DeleteGalleryApplication: [50, 300],
  CreateUpdateGalleryApplicationVersion: [150, 750],
  ListGalleryApplicationVersionsInGalleryApplication: [1_500, 10_000],
  CreateUpdateGalleryInVMAccessControlProfile: [150, 750],
  GetGalleryInVMAccessControlProfile: [600, 3_000],
  PostShareGallery: [10, 60],
  ListSoftDeletedResourcesInGallery: [1_500, 10_000],
  GetOperationStatus: [5_000, 15_000],
}

/** All callers of a subscription together may send as many requests as so many of them. */
const callersAtOnce = 15
const hourMs = 3_600_000
const minuteMs = 60_000
/** Counters of windows that are over go when there are more than this. */
const mostCounters = 10_000

export interface RateLimiter {
  /** Counts a request; answers the headers that tell what is left, and where limits are enforced the refusal. */
  count(request: CountedRequest): RateCount
}

export interface RateCount {
  readonly headers: Readonly<Record<string, string>>
  /** SubscriptionRequestsThrottled, or Compute's OperationNotAllowed; its headers say when to come again. */
  readonly refusal?: Error | undefined
}

export interface CountedRequest {
  readonly method: string
  readonly path: string
  readonly caller: CallerFacts
  /** Undefined on the level of the tenant. */
  readonly subscriptionId: string | undefined
}

interface Counter {
  used: number
  readonly startMs: number
  readonly endMs: number
}

/** Keeps its counters in memory: a restart forgives. */
export function createRateLimiter(limits: RateLimits, clock: Clock): RateLimiter {
  const counters = new Map<string, Counter>()
  const use = (name: string, windowMs: number): Counter => {
    const nowMs = clock.now()
    const known = counters.get(name)
    if (known && known.endMs > nowMs) {
      known.used += 1
      return known
    }
    if (counters.size >= mostCounters) for (const [key, { endMs }] of counters) if (endMs <= nowMs) counters.delete(key)
    const fresh = { used: 1, startMs: nowMs, endMs: nowMs + windowMs }
    counters.set(name, fresh)
    return fresh
  }

  const countSubscription = ({ method, caller, subscriptionId }: CountedRequest): RateCount => {
    const kind = kindOf(method)
    const limit = limits[`subscription${kind}`]
    const of = subscriptionId ?? caller.tenantId
    const own = { name: '', limit, counter: use(`${kind} ${of} ${caller.objectId}`, hourMs) }
    const all = { name: 'global-', limit: limit * callersAtOnce, counter: use(`${kind} ${of}`, hourMs) }
    const place = subscriptionId === undefined ? 'tenant' : 'subscription'
    const headers = Object.fromEntries(
      (subscriptionId === undefined ? [own] : [own, all]).map((one) => [
        `x-ms-ratelimit-remaining-${place}-${one.name}${kind.toLowerCase()}`,
        String(Math.max(one.limit - one.counter.used, 0)),
      ]),
    )
    const over = [own, all].find((one) => one.counter.used > one.limit)
    if (!limits.isEnforced || !over) return { headers }
    const seconds = secondsLeft(over.counter, clock)
    const facts = { kind: kind.toLowerCase().replace(/s$/, ''), subscriptionId: of, objectId: caller.objectId, seconds }
    const refusal = armProblems.SubscriptionRequestsThrottled(facts)
    return { headers: { ...headers, 'retry-after': String(seconds) }, refusal }
  }

  const countCompute = ({ method, path, subscriptionId }: CountedRequest): RateCount => {
    const group = computeGroupOf(method, path)
    const allowed = group === undefined ? undefined : computeGroups[group]
    if (group === undefined || allowed === undefined || subscriptionId === undefined) return { headers: {} }
    const windows = ([3, 30] as const).map((minutes, index) => {
      const name = `${group}${minutes}Min`
      return { name, limit: allowed[index] ?? 0, counter: use(`${name} ${subscriptionId}`, minutes * minuteMs) }
    })
    const left = windows.map(({ name, limit, counter }) => `${name};${Math.max(limit - counter.used, 0)}`)
    const headers = { 'x-ms-ratelimit-remaining-resource': left.map((one) => `Microsoft.Compute/${one}`).join(',') }
    const over = windows.findLast(({ limit, counter }) => counter.used > limit)
    if (!limits.isEnforced || !over) return { headers }
    const retryAfter = String(secondsLeft(over.counter, clock))
    return { headers: { ...headers, 'retry-after': retryAfter }, refusal: computeThrottled(over) }
  }

  return {
    count(request) {
      const own = countSubscription(request)
      if (own.refusal) return own
      const resource = countCompute(request)
      return { headers: { ...own.headers, ...resource.headers }, refusal: resource.refusal }
    },
  }
}

function secondsLeft({ endMs }: Counter, clock: Clock): number {
  return Math.max(Math.ceil((endMs - clock.now()) / 1_000), 1)
}

function kindOf(method: string): 'Reads' | 'Writes' | 'Deletes' {
  if (method === 'GET' || method === 'HEAD') return 'Reads'
  return method === 'DELETE' ? 'Deletes' : 'Writes'
}

/** `GetGalleryImageVersion`: how Microsoft.Compute names what it counts together. */
export function computeGroupOf(method: string, path: string): string | undefined {
  const after = /\/providers\/microsoft\.compute\/(.+?)\/*$/i.exec(path)?.[1]
  if (after === undefined) return undefined
  const segments = after.split(/\/+/)
  const types = segments.filter((_, index) => index % 2 === 0).map((type) => type.toLowerCase())
  if (types[0] === 'locations') return types[1]?.endsWith('operations') ? 'GetOperationStatus' : undefined
  if (types[1] === 'softdeletedartifacttypes') return 'ListSoftDeletedResourcesInGallery'
  if (types[0] !== 'galleries') return undefined
  if (method === 'POST') return types.at(-1) === 'share' ? 'PostShareGallery' : undefined
  const name = groupNames[types.join('/')]
  if (name === undefined) return undefined
  const isList = segments.length % 2 === 1
  switch (method) {
    case 'GET':
    case 'HEAD':
      return isList ? `List${listNames[name] ?? name}` : `Get${name}`
    case 'DELETE':
      return `Delete${name}`
    default:
      return `CreateUpdate${name}`
  }
}

const groupNames: Readonly<Record<string, string>> = {
  galleries: 'Gallery',
  'galleries/images': 'GalleryImage',
  'galleries/images/versions': 'GalleryImageVersion',
  'galleries/applications': 'GalleryApplication',
  'galleries/applications/versions': 'GalleryApplicationVersion',
  'galleries/invmaccesscontrolprofiles': 'GalleryInVMAccessControlProfile',
}
const listNames: Readonly<Record<string, string>> = {
  Gallery: 'GalleryInResourceGroup',
  GalleryApplication: 'GalleryApplicationsInGallery',
  GalleryApplicationVersion: 'GalleryApplicationVersionsInGalleryApplication',
}

/** Compute's own refusal: the numbers are a text inside the details. */
function computeThrottled(over: { readonly name: string; readonly limit: number; readonly counter: Counter }): Error {
  const { name, limit, counter } = over
  const message = JSON.stringify({
    operationGroup: name,
    startTime: new Date(counter.startMs).toISOString(),
    endTime: new Date(counter.endMs).toISOString(),
    allowedRequestCount: limit,
    measuredRequestCount: counter.used,
  })
  return armProblems.ComputeThrottled({}, { details: [{ code: 'TooManyRequests', target: name, message }] })
}
