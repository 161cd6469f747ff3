import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openDatabase, type OpenDatabase } from '../db/open.ts'
import {
  deleteResource,
  editResourceProperties,
  findResource,
  findResources,
  insertResource,
  listSomeChildren,
  type ChildPage,
  pageChildren,
  pageResources,
  updateResource,
} from './resource.rows.ts'
import type { Resource } from './resource.ts'
import { settleResource } from './settle.rows.ts'

let database: OpenDatabase
before(async () => {
  database = await openDatabase({ path: ':memory:' })
})
after(() => database.close())

function resource(name: string, more: Partial<Resource> = {}): Resource {
  return {
    key: `/p/${name}`,
    id: `/P/${name}`,
    type: 'A.B/c',
    name,
    parentKey: '/p',
    subscriptionId: 's',
    resourceGroupKey: '/g',
    location: 'eastus',
    tags: undefined,
    properties: { deep: { list: [1, 'x', null] } },
    envelope: { sku: { name: 'n' } },
    provisioningState: 'Succeeded',
    etag: 'e1',
    createdMs: 1,
    changedMs: 2,
    createdBy: 'a',
    changedBy: 'b',
    operationId: undefined,
    ...more,
  }
}

test('a resource comes back as it went in; its key is taken once', async () => {
  const { db } = database
  const one = resource('one', { tags: {} })
  assert.equal(await insertResource(db, one), true)
  assert.equal(await insertResource(db, resource('one', { id: 'other' })), false)
  assert.deepEqual(await findResource(db, '/p/one'), one)
  assert.equal(await findResource(db, '/p/none'), undefined)
})

test('a write or removal happens only if etag and operation are what was read', async () => {
  const { db } = database
  await insertResource(db, resource('cas'))
  const next = resource('cas', { etag: 'e2', operationId: 'op' })
  assert.equal(await updateResource(db, next, { etag: 'wrong', operationId: undefined }), false)
  assert.equal(await updateResource(db, next, { etag: 'e1', operationId: 'op' }), false)
  assert.equal(await updateResource(db, next, { etag: 'e1', operationId: undefined }), true)
  assert.equal(await deleteResource(db, '/p/cas', { etag: 'e2', operationId: undefined }), false)
  assert.deepEqual(await findResource(db, '/p/cas'), next)
  assert.equal(await deleteResource(db, '/p/cas', { etag: 'e2', operationId: 'op' }), true)
  assert.equal(await findResource(db, '/p/cas'), undefined)
})

test('children, pages and many keys', async () => {
  const { db } = database
  for (const name of ['x10', 'x2', 'x1']) await insertResource(db, resource(name, { parentKey: '/x', type: 'A.B/x' }))
  const names = async (page: Partial<ChildPage>): Promise<string[]> =>
    (await pageChildren(db, { parentKey: '/x', type: 'A.B/x', limit: 2, ...page })).map(({ name }) => name)
  assert.deepEqual(await names({}), ['x1', 'x2'])
  assert.deepEqual(await names({ afterName: 'x2' }), ['x10'])
  assert.deepEqual(await names({ descending: true }), ['x10', 'x2'])
  assert.deepEqual(await names({ descending: true, afterName: 'X2' }), ['x1'])
  assert.deepEqual(await names({ type: 'A.B/other' }), [])
  assert.equal((await listSomeChildren(db, '/x', 2)).length, 2)
  const page = await pageResources(db, { subscriptionId: 's', type: 'A.B/x', afterKey: '/p/x1', limit: 5 })
  assert.deepEqual(
    page.map(({ name }) => name),
    ['x10', 'x2'],
  )
  const keys = Array.from({ length: 1200 }, (_, index) => `/p/x${index}`)
  assert.equal((await findResources(db, keys)).length, 3)
})

const settlings = [
  { why: 'created', intent: 'create', outcome: 'Succeeded', held: 'op', state: 'Succeeded', operationId: undefined },
  { why: 'not updated', intent: 'update', outcome: 'Failed', held: 'op', state: 'Failed', operationId: undefined },
  { why: 'cancelled', intent: 'create', outcome: 'Canceled', held: 'op', state: 'Failed', operationId: undefined },
  { why: 'an action', intent: 'action', outcome: 'Failed', held: 'op', state: 'Updating', operationId: undefined },
  { why: 'not deleted', intent: 'delete', outcome: 'Failed', held: 'op', state: 'Failed', operationId: undefined },
  { why: 'deleted', intent: 'delete', outcome: 'Succeeded', held: 'op', state: undefined, operationId: undefined },
  {
    why: 'another holds it',
    intent: 'delete',
    outcome: 'Succeeded',
    held: 'new',
    state: 'Updating',
    operationId: 'new',
  },
  { why: 'held anew', intent: 'update', outcome: 'Failed', held: 'new', state: 'Updating', operationId: 'new' },
] as const
for (const { why, intent, outcome, held, state, operationId } of settlings)
  test(`settled: ${why}`, async () => {
    const { db } = database
    const name = `settle ${why}`
    await insertResource(db, resource(name, { operationId: held, provisioningState: 'Updating' }))
    const operation = { id: 'op', resourceKey: `/p/${name}`, intent }
    for (let twice = 0; twice < 2; twice++)
      await db.transaction().execute((tx) => settleResource(tx, operation, { state: outcome }))
    const found = await findResource(db, `/p/${name}`)
    assert.equal(found?.provisioningState, state)
    assert.equal(found?.operationId, operationId)
    if (found) assert.equal(found.etag, 'e1')
  })

test('a workflow may add to the properties; etag and operation stay', async () => {
  const { db } = database
  await insertResource(db, resource('edit', { operationId: 'op' }))
  const edited = await db
    .transaction()
    .execute((tx) => editResourceProperties(tx, '/p/edit', (properties) => ({ ...properties, sizeInGB: 3 })))
  assert.deepEqual(edited?.properties, { deep: { list: [1, 'x', null] }, sizeInGB: 3 })
  assert.deepEqual(await findResource(db, '/p/edit'), edited)
  assert.equal(await editResourceProperties(db, '/p/gone', (properties) => properties), undefined)
})
