import type { Command } from 'commander'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { systemClock } from '../base/clock.ts'
import { connect } from './connection.ts'
import type { ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import { cliProblems } from './problems.ts'
import { formatTable } from './table.ts'

interface ActivityFlags extends ConnectionFlags {
  readonly resourceGroup?: string | undefined
  readonly resourceId?: string | undefined
  readonly correlationId?: string | undefined
  readonly caller?: string | undefined
  readonly status?: string | undefined
  readonly offset: string
  readonly max: string
  readonly tenantLevel?: boolean
  readonly json?: boolean
}

const apiVersion = '2015-04-01'
const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `goldleaf activity …`. */
export function addActivityCommands(program: Command, context: CliContext): void {
  program
    .command('activity')
    .description('who did what to what, and with which result')
    .command('list')
    .description('list what was done, newest first')
    .option('-g, --resource-group <name>', 'only in this resource group')
    .option('--resource-id <id>', 'only to this resource')
    .option('--correlation-id <id>', 'only what belongs to one intent')
    .option('--caller <name>', 'only by this user or application id')
    .option('--status <status>', 'Started, Accepted, Succeeded or Failed')
    .option('--offset <time>', 'how far back: 30m, 6h, 7d', '6h')
    .option('--max <count>', 'at most so many events', '50')
    .option('--tenant-level', 'sign-ins, and what was done above subscriptions')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listActivity(context, command.optsWithGlobals()))
}

/** `goldleaf activity list`. */
async function listActivity(context: CliContext, flags: ActivityFlags): Promise<void> {
  const nowMs = systemClock.now()
  const filter = activityFilter(flags, nowMs)
  const most = Number(flags.max)
  if (!Number.isInteger(most) || most < 1) throw cliProblems.UsageWrong({ message: '--max is not a whole number.' })
  const { client, subscriptionId } = await connect(context, flags)
  const base = flags.tenantLevel ? '' : `/subscriptions/${subscriptionId}`
  const path = `${base}/providers/Microsoft.Insights/eventtypes/management/values`
  const events: JsonObject[] = []
  const { signal } = context
  for await (const event of client.list(path, { apiVersion, query: { $filter: filter }, signal })) {
    events.push(event)
    if (events.length >= most) break
  }
  context.out.write(flags.json ? `${JSON.stringify(events, undefined, 2)}\n` : eventTable(events))
}

/** The `$filter` of the flags. Throws UsageWrong for an offset that is none. */
function activityFilter(flags: Omit<ActivityFlags, 'max'>, nowMs: number): string {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(flags.offset) ?? []
  const stepMs = unitMs[unit ?? '']
  if (stepMs === undefined)
    throw cliProblems.UsageWrong({ message: `'${flags.offset}' is not a time like 30m, 6h, 7d.` })
  const equal = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${name} eq '${value.replaceAll("'", "''")}'`]
  return [
    `eventTimestamp ge '${new Date(nowMs - Number(count) * stepMs).toISOString()}'`,
    ...equal('resourceGroupName', flags.resourceGroup),
    ...equal('resourceUri', flags.resourceId),
    ...equal('correlationId', flags.correlationId),
    ...equal('caller', flags.caller),
    ...equal('status', flags.status),
  ].join(' and ')
}

function eventTable(events: readonly JsonObject[]): string {
  const rows = events.map((event) => [
    textOf(event['eventTimestamp']).slice(0, 19),
    textOf(event['status']),
    textOf(event['subStatus']),
    textOf(event['caller']),
    isJsonObject(event['httpRequest']) ? textOf(event['httpRequest']['clientIpAddress']) : '',
    textOf(event['operationName']),
    textOf(event['resourceId']),
  ])
  return formatTable(['time (UTC)', 'status', 'answer', 'caller', 'from', 'operation', 'resource'], rows)
}

/** A text, or the value of one with a translation. */
function textOf(value: unknown): string {
  if (isJsonObject(value)) return textOf(value['value'])
  return typeof value === 'string' ? value : ''
}
