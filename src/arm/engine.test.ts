import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Type } from 'typebox'
import { systemClock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { resourceGroups } from '../contract/resource-groups.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import type { Workflow } from '../work/workflow.ts'
import { createGroup, groupPath, startArm, subscriptionId, type TestArm } from './arm.fixture.ts'

/** A type of no provider that Azure has: the engine must serve it from its declaration alone. */
const widgets: ResourceTypeDeclaration = {
  type: 'Contoso.Toys/widgets',
  errorName: 'toyWidget',
  apiVersions: ['2020-01-01', '2021-01-01'],
  name: { check: () => undefined },
  body: Type.Object({
    location: Type.String({ region: 'short' }),
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
    properties: Type.Optional(
      Type.Object({
        colour: Type.Optional(Type.String()),
        hold: Type.Optional(Type.Boolean()),
        fails: Type.Optional(Type.Boolean()),
        size: Type.Optional(Type.Integer({ since: '2021-01-01' })),
        live: Type.Optional(Type.String({ readOnly: true })),
      }),
    ),
  }),
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 202,
  updateStatus: 202,
  listInSubscription: true,
  actions: [
    { name: 'paint', permission: 'Contoso.Toys/widgets/paint/action', timing: 'async' },
    { name: 'weigh', permission: 'Contoso.Toys/widgets/weigh/action', timing: 'sync' },
    { name: 'view', method: 'GET', permission: 'Contoso.Toys/widgets/view/read', timing: 'sync' },
    { name: 'late', permission: 'Contoso.Toys/widgets/late/action', timing: 'sync', since: '2021-01-01' },
  ],
  tracked: true,
}
const notes: ResourceTypeDeclaration = {
  type: 'Contoso.Toys/widgets/notes',
  errorName: 'toyNote',
  apiVersions: ['2020-01-01'],
  name: { check: () => undefined },
  body: Type.Object({ properties: Type.Optional(Type.Object({ text: Type.Optional(Type.String()) })) }),
  put: 'sync',
  delete: 'sync',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: false,
  actions: [],
  tracked: false,
}

let release = Promise.withResolvers<void>()
let used = false
const order: string[] = []
const asked: string[] = []
const start = (input: JsonObject) => ({ workflow: 'make-widget', input })
const make: Workflow = {
  name: 'make-widget',
  steps: [
    {
      name: 'make',
      async run({ input, signal, report }) {
        report({ percentComplete: 40, bytesDone: 4 })
        if (input['hold'] === true) {
          const stopped = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          await Promise.race([release.promise, stopped])
        }
        if (input['fails'] === true)
          throw new Problem('conflict', 'PaintRefused', 'The paint is refused. Buy another.', { target: 'toyWidget' })
        return { accessSAS: 'https://there' }
      },
    },
  ],
}
const behaviour: Behaviour = {
  type: 'Contoso.Toys/widgets',
  async prepare({ after: draft }) {
    order.push('prepare')
    return { ...draft, properties: { ...draft.properties, prepared: true } }
  },
  async check({ after: draft }, context) {
    order.push('check')
    if (draft.properties['colour'] === 'linked') await context.authorize('Contoso.Toys/paints/read', '/secret')
  },
  async commit(_tx, { after: draft }) {
    order.push('commit')
    if (draft.properties['colour'] === 'twice') throw new Problem('conflict', 'NotUnique', 'There is one already.')
  },
  async write({ after: draft }) {
    order.push('write')
    return start(draft.properties)
  },
  async checkRemove() {
    if (used) throw new Problem('conflict', 'InUse', 'The widget is used. Free it first.')
  },
  remove: async () => start({}),
  show: async ({ properties }) => ({ ...properties, live: 'yes' }),
  actions: {
    paint: async ({ body }) => ({ kind: 'started', start: start(body) }),
    weigh: async ({ body }) => ({ kind: 'done', body: { grams: 7, body } }),
    view: async () => ({ kind: 'done', body: { seen: true } }),
    late: async () => ({ kind: 'done' }),
  },
}

let arm: TestArm
before(async () => {
  arm = await startArm({
    types: [resourceGroups, widgets, notes],
    behaviours: [behaviour],
    workflows: [make],
    cancelTimeoutMs: 5000,
    async authorize(_caller, action, scope) {
      asked.push(`${action} ${scope}`)
      if (scope.includes('secret') || scope.includes('forbidden'))
        throw new Problem('forbidden', 'AuthorizationFailed', `no ${action} over ${scope}`)
    },
  })
  await createGroup(arm, 'toys')
})
after(() => arm[Symbol.asyncDispose]())
beforeEach(() => {
  release = Promise.withResolvers()
  used = false
})
const at = (path: string, apiVersion = '2021-01-01'): string =>
  `${groupPath('toys')}/providers/Contoso.Toys/${path}?api-version=${apiVersion}`
const location = 'West Europe'

test('a 202 PUT has both addresses, hooks run in order, Location ends with the resource', async () => {
  order.length = 0
  const created = await arm.send('PUT', at('widgets/w1'), { location, properties: { colour: 'red', size: '3' } })
  assert.equal(created.status, 202, created.text)
  assert.equal(created.body.properties.provisioningState, 'Creating')
  assert.deepEqual(order, ['prepare', 'check', 'write', 'commit'])
  await arm.finish(created)
  const final = await arm.send('GET', created.headers.get('location') ?? '')
  assert.equal(final.status, 200)
  assert.equal(final.body.name, 'w1')
  const read = await arm.send('GET', at('widgets/w1'))
  assert.deepEqual(read.body.properties, { colour: 'red', size: 3, live: 'yes', provisioningState: 'Succeeded' })
  assert.equal((await arm.send('GET', at('widgets/w1', '2020-01-01'))).body.properties.size, undefined)
})

test('while work runs: progress is shown, writes and started actions are refused, reads go on, Location says 202', async () => {
  const path = at('widgets/busy')
  const created = await arm.send('PUT', path, { location, properties: { hold: true } })
  const status = created.headers.get('azure-asyncoperation') ?? ''
  let running = await arm.send('GET', status)
  while (running.body.percentComplete === undefined) {
    await systemClock.sleep(5)
    running = await arm.send('GET', status)
  }
  assert.deepEqual(Object.keys(running.body), ['startTime', 'status', 'name', 'percentComplete', 'properties'])
  assert.deepEqual([running.body.status, running.body.properties], ['InProgress', { bytesDone: 4 }])
  assert.equal(running.headers.get('retry-after'), '1')
  const monitor = await arm.send('GET', created.headers.get('location') ?? '')
  assert.equal(monitor.status, 202)
  assert.equal(monitor.headers.get('location'), created.headers.get('location'))
  for (const [method, body] of [['PUT', { location }] as const, ['PATCH', { tags: {} }] as const]) {
    const refused = await arm.send(method, path, body)
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'OperationNotAllowed'])
    assert.match(refused.body.error.message, new RegExp(created.headers.get('x-ms-request-id') ?? 'none'))
  }
  const action = await arm.send('POST', at('widgets/busy/paint'), {})
  assert.deepEqual([action.status, action.body.error.code], [409, 'OperationNotAllowed'])
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Creating')
  release.resolve()
  assert.equal((await arm.finish(created)).body.status, 'Succeeded')
})

test('DELETE cancels what runs, then deletes; a second DELETE joins the first', async () => {
  const path = at('widgets/cancelled')
  const created = await arm.send('PUT', path, { location, properties: { hold: true } })
  const removed = await arm.send('DELETE', path)
  assert.equal(removed.status, 202, removed.text)
  assert.equal((await arm.finish(created)).body.status, 'Canceled')
  assert.equal((await arm.finish(removed)).body.status, 'Succeeded')
  assert.equal((await arm.send('GET', path)).status, 404)
})

test('a resource that is being deleted refuses writes as marked for deletion, and says Deleting', async () => {
  const path = at('widgets/doomed')
  await arm.put(path, { location })
  await arm.db
    .updateTable('resource')
    .set({ operation_id: 'held', provisioning_state: 'Deleting' })
    .where('name', '=', 'doomed')
    .execute()
  const refused = await arm.send('PATCH', path, { tags: {} })
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'OperationNotAllowed'])
  assert.equal(
    refused.body.error.message,
    "Operation 'Update Toy Widget' is not on allowed on doomed; since it is marked for deletion. You can only retry the Delete operation (or wait for an ongoing one to complete)",
  )
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Deleting')
  const child = await arm.send('PUT', at('widgets/doomed/notes/n', '2020-01-01'), {})
  assert.deepEqual([child.status, child.body.error.code], [409, 'Conflict'])
  const again = await arm.send('DELETE', path)
  assert.equal(again.status, 202)
  assert.match(again.headers.get('azure-asyncoperation') ?? '', /\/held\?/)
})

test('work that fails: the operation says why, the resource is Failed, the same PUT repairs it', async () => {
  const path = at('widgets/bad')
  const created = await arm.send('PUT', path, { location, properties: { fails: true } })
  const failed = await arm.finish(created)
  assert.deepEqual(Object.keys(failed.body).slice(-1), ['error'])
  assert.equal(failed.body.status, 'Failed')
  assert.deepEqual(failed.body.error, {
    code: 'PaintRefused',
    message: 'The paint is refused. Buy another.',
    target: 'toyWidget',
  })
  const monitor = await arm.send('GET', created.headers.get('location') ?? '')
  assert.deepEqual([monitor.status, monitor.body.error.code], [409, 'PaintRefused'])
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Failed')
  const repaired = await arm.send('PUT', path, { location })
  assert.equal((await arm.finish(repaired)).body.status, 'Succeeded')
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Succeeded')
})

test('a problem in commit rolls everything back: no row, no operation', async () => {
  const refused = await arm.send('PUT', at('widgets/twice'), { location, properties: { colour: 'twice' } })
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'NotUnique'])
  assert.equal((await arm.send('GET', at('widgets/twice'))).status, 404)
  assert.equal(await arm.work.find(refused.headers.get('x-ms-request-id') ?? ''), undefined)
})

test('actions: done answers 200, started answers 202 and its result is at both addresses, unknown ones 404', async () => {
  await arm.put(at('widgets/acted'), { location })
  const weighed = await arm.send('POST', at('widgets/acted/weigh'), { a: 1 })
  assert.deepEqual([weighed.status, weighed.body], [200, { grams: 7, body: { a: 1 } }])
  assert.deepEqual((await arm.send('GET', at('widgets/acted/view'))).body, { seen: true })
  const painted = await arm.send('POST', at('widgets/acted/PAINT'), { colour: 'red' })
  assert.deepEqual([painted.status, painted.text], [202, ''])
  const done = await arm.finish(painted)
  assert.deepEqual(done.body.properties.output, { accessSAS: 'https://there' })
  const final = await arm.send('GET', painted.headers.get('location') ?? '')
  assert.deepEqual([final.status, final.body], [200, { accessSAS: 'https://there' }])
  assert.equal((await arm.send('GET', at('widgets/acted'))).body.properties.provisioningState, 'Succeeded')
  assert.equal((await arm.send('POST', at('widgets/acted/late', '2020-01-01'))).status, 404)
  const empty = await arm.send('POST', at('widgets/acted/late'), '')
  assert.deepEqual([empty.status, empty.text], [200, ''])
  assert.equal((await arm.send('POST', at('widgets/none/weigh'), {})).body.error.code, 'ResourceNotFound')
})

test('a synchronous type answers at once: 201, 200, 200, 204, without an operation', async () => {
  await arm.put(at('widgets/parent'), { location })
  const path = at('widgets/parent/notes/n1', '2020-01-01')
  const created = await arm.send('PUT', path, { properties: { text: 'a' } })
  assert.deepEqual([created.status, created.body.properties.provisioningState], [201, 'Succeeded'])
  assert.equal(created.headers.has('azure-asyncoperation'), false)
  assert.equal((await arm.send('PUT', path, { properties: { text: 'b' } })).status, 200)
  assert.equal((await arm.send('PATCH', path, {})).status, 405)
  assert.equal((await arm.send('DELETE', path)).status, 200)
  assert.equal((await arm.send('DELETE', path)).status, 204)
})

test('permissions: the action and the scope that are asked for; a link without permission is named', async () => {
  asked.length = 0
  await arm.put(at('widgets/perm'), { location })
  await arm.send('GET', at('widgets'))
  assert.ok(asked.includes(`Contoso.Toys/widgets/write ${groupPath('toys')}/providers/Contoso.Toys/widgets/perm`))
  assert.ok(asked.includes(`Contoso.Toys/widgets/read ${groupPath('toys')}`))
  const forbidden = await arm.send('PUT', at('widgets/forbidden'), { location })
  assert.deepEqual([forbidden.status, forbidden.body.error.code], [403, 'AuthorizationFailed'])
  const linked = await arm.send('PUT', at('widgets/link'), { location, properties: { colour: 'linked' } })
  assert.deepEqual([linked.status, linked.body.error.code], [403, 'LinkedAuthorizationFailed'])
  assert.match(
    linked.body.error.message,
    /perform action 'Contoso\.Toys\/paints\/read' on the linked scope\(s\) '\/secret'/,
  )
})

test('a removal that the domain refuses changes nothing and cancels nothing', async () => {
  const path = at('widgets/used')
  const created = await arm.send('PUT', path, { location, properties: { hold: true } })
  used = true
  const refused = await arm.send('DELETE', path)
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'InUse'])
  release.resolve()
  assert.equal((await arm.finish(created)).body.status, 'Succeeded')
})

test('providers are listed from the declarations', async () => {
  const providers = await arm.send('GET', `/subscriptions/${subscriptionId}/providers?api-version=2021-04-01`)
  assert.deepEqual(
    providers.body.value.map(({ namespace }: { namespace: string }) => namespace),
    ['Contoso.Toys', 'Microsoft.Resources'],
  )
  const one = await arm.send('GET', `/subscriptions/${subscriptionId}/providers/contoso.toys?api-version=2021-04-01`)
  assert.deepEqual(one.body.resourceTypes[0], {
    resourceType: 'widgets',
    locations: ['West Europe', 'East US'],
    apiVersions: ['2021-01-01', '2020-01-01'],
    capabilities: 'SupportsTags, SupportsLocation',
  })
})
