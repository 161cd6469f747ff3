import type { JsonObject } from '../base/json.ts'
import { chooseSubscription, reach } from './connection.ts'
import type { ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import { openCaller, textAt } from './graph.ts'
import { cliProblems } from './problems.ts'
import { formatTable } from './table.ts'

export interface ListFlags extends ConnectionFlags {
  readonly json?: boolean | undefined
}

/** A list for people, or the server's own JSON. */
export function printList(
  context: CliContext,
  flags: ListFlags,
  items: readonly JsonObject[],
  columns: readonly (readonly [heading: string, member: string])[],
): void {
  if (flags.json) return printJson(context, items)
  const rows = items.map((item) => columns.map(([, member]) => textAt(item, member)))
  const headings = columns.map(([heading]) => heading)
  context.out.write(formatTable(headings, rows))
}

export function printJson(context: CliContext, value: unknown): void {
  context.out.write(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** What only the installation's operator may: it signs in in its own tenant, whatever --tenant says. */
export async function openOwn(context: CliContext, flags: ConnectionFlags) {
  const { tenant: _, ...own } = flags
  return openCaller(await reach(context, own), '/goldleaf/v1', context.signal)
}

export async function listTenants(context: CliContext, flags: ListFlags): Promise<void> {
  const found = await (await openOwn(context, flags)).list('/tenants')
  printList(context, flags, found, [
    ['tenant', 'tenantId'],
    ['domain', 'defaultDomain'],
    ['name', 'displayName'],
  ])
}

export interface TenantCreateFlags extends ConnectionFlags {
  readonly domain?: string | undefined
  readonly id?: string | undefined
  /** False with --no-operator. */
  readonly operator?: boolean | undefined
}

export async function createTenant(context: CliContext, name: string, flags: TenantCreateFlags): Promise<void> {
  const made = await (
    await openOwn(context, flags)
  ).call('POST', '/tenants', {
    displayName: name,
    withOperator: flags.operator ?? true,
    ...(flags.domain === undefined ? {} : { defaultDomain: flags.domain }),
    ...(flags.id === undefined ? {} : { tenantId: flags.id }),
  })
  printJson(context, made)
}

export async function showTenant(context: CliContext, tenant: string, flags: ConnectionFlags): Promise<void> {
  printJson(context, await (await openOwn(context, flags)).call('GET', `/tenants/${encodeURIComponent(tenant)}`))
}

export async function deleteTenant(context: CliContext, tenant: string, flags: ConnectionFlags): Promise<void> {
  await (await openOwn(context, flags)).call('DELETE', `/tenants/${encodeURIComponent(tenant)}`)
  context.err.write(`Deleted ${tenant}.\n`)
}

const apiVersion = '2021-10-01'

export async function listSubscriptions(context: CliContext, flags: ListFlags): Promise<void> {
  const { client } = await reach(context, flags)
  const found: JsonObject[] = []
  for await (const item of client.list('/subscriptions', { signal: context.signal })) found.push(item)
  printList(context, flags, found, [
    ['subscription', 'subscriptionId'],
    ['name', 'displayName'],
    ['state', 'state'],
    ['tenant', 'tenantId'],
  ])
}

export interface SubscriptionCreateFlags extends ConnectionFlags {
  readonly alias?: string | undefined
  readonly owner?: string | undefined
}

/** The alias keeps a command that is repeated from making a second subscription. */
export async function createSubscription(
  context: CliContext,
  name: string,
  flags: SubscriptionCreateFlags,
): Promise<void> {
  const { client } = await reach(context, flags)
  const alias = flags.alias ?? name.replaceAll(/[^A-Za-z0-9_().-]+/g, '-').slice(0, 63)
  const path = `/providers/Microsoft.Subscription/aliases/${encodeURIComponent(alias)}`
  const options = { apiVersion, signal: context.signal }
  const known = await client.find(path, options)
  if (known !== undefined) throw cliProblems.SubscriptionExists({ alias })
  const more = flags.owner === undefined ? {} : { additionalProperties: { subscriptionOwnerId: flags.owner } }
  const made = await client.put(path, { properties: { displayName: name, workload: 'Production', ...more } }, options)
  printJson(context, made['properties'])
}

/** `verb`: rename (with a name), cancel, enable. */
export async function changeSubscription(
  context: CliContext,
  verb: 'rename' | 'cancel' | 'enable',
  subscription: string,
  name: string | undefined,
  flags: ConnectionFlags,
): Promise<void> {
  const reached = await reach(context, flags)
  const id = await chooseSubscription(reached, { ...flags, subscription })
  const body = name === undefined ? undefined : { subscriptionName: name }
  const path = `/subscriptions/${encodeURIComponent(id)}/providers/Microsoft.Subscription/${verb}`
  await reached.client.post(path, body, { apiVersion, signal: context.signal })
  context.err.write(`${{ rename: 'Renamed', cancel: 'Cancelled', enable: 'Enabled' }[verb]} ${id}.\n`)
}

export async function showSubscription(context: CliContext, id: string, flags: ConnectionFlags): Promise<void> {
  const { client } = await reach(context, flags)
  printJson(context, await client.get(`/subscriptions/${encodeURIComponent(id)}`, { signal: context.signal }))
}
