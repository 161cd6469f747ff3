import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../db/open.ts'
import { createActivityLog } from './activity-log.ts'
import { answerEvent, startEvent, type RequestFacts } from './event.ts'
import { parseEventFilter } from './event-filter.ts'
import { subjectOf } from './request-subject.ts'
import { showEvent } from './show-event.ts'
import { signInEvent } from './sign-in-event.ts'
import { withoutSecrets } from './without-secrets.ts'

const gallery = '/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/galleries/g'
const subjects: readonly (readonly [method: string, path: string, operation: string, resource: string])[] = [
  ['PUT', gallery, 'Microsoft.Compute/galleries/write', gallery],
  ['PATCH', `${gallery}/images/i`, 'Microsoft.Compute/galleries/images/write', `${gallery}/images/i`],
  ['DELETE', `/${gallery}/`, 'Microsoft.Compute/galleries/delete', gallery],
  ['POST', `${gallery}/share`, 'Microsoft.Compute/galleries/share/action', gallery],
  [
    'PUT',
    '/subscriptions/S/resourcegroups/RG',
    'Microsoft.Resources/subscriptions/resourceGroups/write',
    '/subscriptions/S/resourcegroups/RG',
  ],
  ['DELETE', '/subscriptions/S', 'Microsoft.Resources/subscriptions/delete', '/subscriptions/S'],
  [
    'POST',
    '/subscriptions/S/providers/Microsoft.Compute/register',
    'Microsoft.Compute/register/action',
    '/subscriptions/S/providers/Microsoft.Compute',
  ],
  [
    'PUT',
    `${gallery}/providers/Microsoft.Authorization/roleAssignments/x`,
    'Microsoft.Authorization/roleAssignments/write',
    `${gallery}/providers/Microsoft.Authorization/roleAssignments/x`,
  ],
]
for (const [method, path, operation, resource] of subjects)
  test(`the subject of ${method} ${path}`, () => {
    const subject = subjectOf(method, path)
    assert.equal(subject.operationName, operation)
    assert.equal(subject.resourceId, resource)
    assert.equal(subject.subscriptionId, 's')
    assert.equal(subject.resourceGroup, path.includes('RG') ? 'RG' : undefined)
  })

test('types get their canonical spelling', () => {
  const subject = subjectOf('PUT', gallery.toLowerCase(), () => 'Microsoft.Compute/galleries')
  assert.equal(subject.operationName, 'Microsoft.Compute/galleries/write')
  assert.equal(subject.resourceProvider, 'Microsoft.Compute')
})

const now = { nowMs: Date.parse('2026-03-01T00:00:00Z'), retentionDays: 90 }
test('filters as az and the SDKs write them', () => {
  const fromMs = Date.parse('2026-02-28T18:00:00Z')
  assert.deepEqual(
    parseEventFilter('eventTimestamp ge 2026-02-28T18:00:00 and eventTimestamp le 2026-03-01T00:00:00.123456', now),
    { fromMs, toMs: now.nowMs + 123 },
  )
  assert.deepEqual(
    parseEventFilter(
      "eventTimestamp ge '2026-02-28T18:00:00.0000000Z' and resourceUri eq '/Subscriptions/s/resourceGroups/A and b/x' and status eq 'failed' and eventChannels eq 'Admin, Operation'",
      now,
    ),
    {
      fromMs,
      toMs: now.nowMs,
      resourceKey: '/subscriptions/s/resourcegroups/a and b/x',
      resourceGroup: 'a and b',
      status: 'Failed',
    },
  )
})

const badFilters = [
  undefined,
  '',
  "caller eq 'a'",
  "eventTimestamp ge 'soon'",
  "eventTimestamp ge '2026-02-28' or 1 eq 1",
  "eventTimestamp ge '2026-02-28' and nonsense eq 'a'",
  "eventTimestamp ge '2026-02-28' and eventTimestamp le '2026-02-27'",
  "eventTimestamp ge '2020-01-01'",
]
for (const filter of badFilters)
  test(`refused filter: ${filter}`, () => {
    assert.throws(
      () => parseEventFilter(filter, now),
      (error) => error instanceof Problem && error.code === 'BadRequest',
    )
  })

test('what could open a door is taken out of texts', () => {
  const text =
    "The source 'https://h/b.vhd?sv=1&sig=SECRET' with Bearer SECRET and eyJhbGc.eyJSECRET.SECRET, client_secret=SECRET"
  assert.doesNotMatch(withoutSecrets(text), /SECRET/)
  assert.match(withoutSecrets(text), /https:\/\/h\/b\.vhd/)
})

const facts: RequestFacts = {
  ...subjectOf('PUT', gallery),
  tenantId: 't',
  caller: { name: 'Alice', objectId: 'o', tenantId: 't', appId: 'a' },
  correlationId: 'c',
  operationId: 'op',
}

test('an operation ends with the facts of its beginning, wherever that is; old events are forgotten', async () => {
  await using database = await openDatabase({ path: ':memory:' })
  const { db } = database
  let nowMs = now.nowMs
  const clock = { now: () => nowMs, sleep: () => new Promise<void>(() => {}) }
  await using log = createActivityLog({ db, clock, logger: silentLogger })
  const ended = { id: 'op', resourceKey: gallery.toLowerCase(), intent: 'create', subscriptionId: 's', createdBy: 'o' }
  log.record(startEvent(facts, nowMs))
  await db.transaction().execute((tx) => log.recordEnd(tx, ended, { state: 'Succeeded' }))
  nowMs += 1
  await db.transaction().execute((tx) => log.recordEnd(tx, { ...ended, id: 'unknown' }, { state: 'Canceled' }))
  const query = { fromMs: 0, toMs: Infinity }
  const scope = { subscriptionId: 's', tenantId: 't' }
  const all = await log.page(scope, query, { limit: 10 })
  const told = all.map(({ status, correlationId, caller }) => `${status} ${correlationId} ${caller?.name}`)
  assert.deepEqual(new Set(told), new Set(['Failed unknown o', 'Started c Alice', 'Succeeded c Alice']))
  const [first] = await log.page(scope, query, { limit: 1 })
  const rest = await log.page(scope, query, { limit: 10, after: first })
  assert.deepEqual([first, ...rest], all)
  assert.equal((await log.page(scope, { ...query, caller: 'alice' }, { limit: 10 })).length, 2)
  assert.equal((await log.page({ subscriptionId: 'other', tenantId: 't' }, query, { limit: 10 })).length, 0)
  nowMs += 91 * 86_400_000
  await log.sweep()
  assert.deepEqual(await log.page(scope, query, { limit: 10 }), [])
})

test('strangers write only so much; sign-ins lie at the level of the tenant', async () => {
  await using database = await openDatabase({ path: ':memory:' })
  const clock = { now: () => now.nowMs, sleep: () => new Promise<void>(() => {}) }
  await using log = createActivityLog({ db: database.db, clock, logger: silentLogger })
  const refusal = { httpStatus: 401, isUnderWay: false, error: { code: 'x', message: 'y' } }
  for (let at = 0; at < 700; at++) log.record(answerEvent({ ...facts, caller: undefined }, refusal, now.nowMs))
  const query = { fromMs: 0, toMs: Infinity }
  assert.equal((await log.page({ subscriptionId: 's', tenantId: 't' }, query, { limit: 1000 })).length, 600)
  log.record(signInEvent({ tenantId: 't', name: 'Bob', objectId: 'b', grant: 'device_code' }, now.nowMs))
  const [signIn] = await log.page({ subscriptionId: undefined, tenantId: 't' }, query, { limit: 10 })
  assert.equal(signIn?.category, 'SignInLogs')
  assert.deepEqual(await log.page({ subscriptionId: undefined, tenantId: 'other' }, query, { limit: 10 }), [])
})

test("an event has Azure's shape", () => {
  const event = answerEvent(facts, { httpStatus: 201, isUnderWay: false }, now.nowMs)
  const shown = showEvent(event, undefined)
  assert.deepEqual(shown['subStatus'], { value: 'Created', localizedValue: 'Created (HTTP Status Code: 201)' })
  assert.equal(shown['eventTimestamp'], '2026-03-01T00:00:00.0000000Z')
  assert.equal(shown['id'], `${gallery}/events/${event.id}/ticks/639079200000000000`)
  assert.deepEqual(Object.keys(showEvent(event, ['caller', 'status'])), ['caller', 'status'])
})
