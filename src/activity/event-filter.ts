import { readFilterClauses, type FilterClause } from '../base/filter-clauses.ts'
import { activityProblems } from './problems.ts'

/** What is asked of the log; everything that is compared is in lower case, but for `status`. */
export interface EventQuery {
  readonly fromMs: number
  readonly toMs: number
  readonly resourceGroup?: string | undefined
  readonly resourceKey?: string | undefined
  readonly provider?: string | undefined
  readonly correlationId?: string | undefined
  readonly caller?: string | undefined
  readonly status?: string | undefined
}

const dayMs = 24 * 3_600_000
const times = ['eventtimestamp', 'submissiontimestamp']
const members: Readonly<Record<string, 'resourceGroup' | 'resourceKey' | 'provider' | 'correlationId' | 'caller'>> = {
  resourcegroupname: 'resourceGroup',
  resourceuri: 'resourceKey',
  resourceid: 'resourceKey',
  resourceprovider: 'provider',
  correlationid: 'correlationId',
  caller: 'caller',
}
const statuses = ['Started', 'Accepted', 'Succeeded', 'Failed']

/**
 * Reads `$filter` of the activity log: clauses joined by `and`, `eventTimestamp ge` compulsory (Azure's own rule). Times
 * may be quoted and may lack their zone, then they are UTC: az 2.45 writes them so. Throws BadRequest.
 */
export function parseEventFilter(
  filter: string | undefined,
  now: { readonly nowMs: number; readonly retentionDays: number },
): EventQuery {
  const found: { -readonly [K in keyof EventQuery]?: EventQuery[K] } = {}
  for (const clause of readFilterClauses(filter)) readClause(found, clause)
  const { fromMs, toMs = now.nowMs } = found
  if (fromMs === undefined) throw activityProblems.StartTimeMissing({})
  if (fromMs > toMs) throw activityProblems.TimesReversed({})
  if (fromMs < now.nowMs - (now.retentionDays + 1) * dayMs)
    throw activityProblems.StartTimeTooOld({ days: now.retentionDays })
  // A resource lies in its group, by which the log is indexed.
  const group = /^\/subscriptions\/[^/]+\/resourcegroups\/([^/]+)/.exec(found.resourceKey ?? '')?.[1]
  return { ...found, fromMs, toMs, ...(group === undefined ? {} : { resourceGroup: group }) }
}

function readClause(
  found: { -readonly [K in keyof EventQuery]?: EventQuery[K] },
  { text: clause, name, operator, quoted, bare }: FilterClause,
): void {
  const value = quoted ?? bare
  if (value === undefined) throw activityProblems.FilterWrong({ clause })
  if (times.includes(name) && (operator === 'ge' || operator === 'le')) {
    const moment = parseTime(value)
    if (moment === undefined) throw activityProblems.FilterWrong({ clause })
    if (operator === 'ge') found.fromMs = moment
    else found.toMs = moment
    return
  }
  if (operator !== 'eq') throw activityProblems.FilterWrong({ clause })
  // The portal's way of saying "the log that everybody means".
  if (name === 'eventchannels') return
  const member = members[name]
  if (member !== undefined) found[member] = value.toLowerCase().replace(/(?<=.)\/+$/, '')
  else if (name === 'status') found.status = statuses.find((one) => one.toLowerCase() === value.toLowerCase()) ?? value
  else throw activityProblems.FilterWrong({ clause })
}

function parseTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?)?(Z|[+-]\d\d:?\d\d)?$/i.exec(text)
  if (!match) return undefined
  const [, day = '', time = '00:00:00', fraction = '0', zone = 'Z'] = match
  const ms = Date.parse(`${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`)
  return Number.isNaN(ms) ? undefined : ms
}
