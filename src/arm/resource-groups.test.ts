import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { createGroup, groupPath, inGroup, startArm, subscriptionId, type Reply, type TestArm } from './arm.fixture.ts'

let arm: TestArm
let stillShared = true
before(async () => {
  arm = await startArm({
    pageSize: 2,
    behaviours: [
      {
        type: 'Microsoft.Compute/galleries',
        async checkRemove({ name }) {
          if (stillShared && name === 'shared')
            throw new Problem('conflict', 'OperationNotAllowed', "Gallery is still shared to 'Groups'.")
        },
      },
    ],
  })
})
after(() => arm[Symbol.asyncDispose]())
const group = (name: string): string => `${groupPath(name)}?api-version=2021-04-01`
const image = {
  location: 'eastus',
  properties: { osType: 'Linux', osState: 'Generalized', identifier: { publisher: 'p', offer: 'o', sku: 's' } },
}

async function follow(started: Reply): Promise<Reply> {
  for (;;) {
    const at = await arm.send('GET', started.headers.get('location') ?? '')
    if (at.status !== 202) return at
    await systemClock.sleep(10)
  }
}

test('a group is created, changed, listed, checked; deleted with Location only; 404 when it is missing', async () => {
  const created = await arm.send('PUT', group('Alpha'), { location: 'West Europe', tags: { a: 'b' } })
  assert.equal(created.status, 201)
  assert.deepEqual(created.body, {
    name: 'Alpha',
    id: groupPath('Alpha'),
    type: 'Microsoft.Resources/resourceGroups',
    location: 'westeurope',
    tags: { a: 'b' },
    properties: { provisioningState: 'Succeeded' },
  })
  assert.equal((await arm.send('PUT', group('alpha'), { location: 'westeurope' })).status, 200)
  assert.equal((await arm.send('PATCH', group('alpha'), { tags: { c: 'd' } })).status, 200)
  const read = await arm.send('GET', `/subscriptions/${subscriptionId}/resourcegroups/ALPHA?api-version=2024-11-01`)
  assert.deepEqual([read.body.name, read.body.tags], ['Alpha', { c: 'd' }])
  assert.equal((await arm.send('HEAD', group('alpha'))).status, 204)
  assert.equal((await arm.send('HEAD', group('nope'))).status, 404)
  assert.equal(
    (await arm.send('PUT', group('alpha'), { location: 'eastus' })).body.error.code,
    'InvalidResourceGroupLocation',
  )
  assert.equal(
    (await arm.send('PUT', group('bad name!'), { location: 'eastus' })).body.error.code,
    'InvalidResourceGroup',
  )
  const list = await arm.send('GET', `/subscriptions/${subscriptionId}/resourcegroups?api-version=2021-04-01`)
  assert.deepEqual(list.body.value[0].id, groupPath('Alpha'))
  const missing = await arm.send('DELETE', group('nope'))
  assert.deepEqual([missing.status, missing.body.error.code], [404, 'ResourceGroupNotFound'])
  const removed = await arm.send('DELETE', group('Alpha'))
  assert.equal(removed.status, 202)
  assert.equal(removed.headers.has('azure-asyncoperation'), false)
  assert.equal(removed.headers.get('retry-after'), '1')
  assert.equal((await follow(removed)).status, 200)
  assert.equal((await arm.send('GET', group('Alpha'))).status, 404)
})

test('the deletion of a group removes what is in it, children first; nothing new gets in meanwhile', async () => {
  await createGroup(arm, 'deep')
  for (const name of ['one', 'two']) {
    await arm.put(inGroup('deep', `galleries/${name}`), { location: 'eastus' })
    await arm.put(inGroup('deep', `galleries/${name}/images/i`), image)
  }
  const removed = await arm.send('DELETE', group('deep'))
  const late = await arm.send('PUT', inGroup('deep', 'galleries/late'), { location: 'eastus' })
  assert.ok(['ResourceGroupBeingDeleted', 'ResourceGroupNotFound'].includes(late.body.error.code), late.text)
  assert.equal((await follow(removed)).status, 200)
  const left = await arm.db.selectFrom('resource').select('key').where('key', 'like', '%/deep%').execute()
  assert.deepEqual(left, [])
})

test('what cannot be deleted blocks the deletion of its group, which is then as before', async () => {
  await createGroup(arm, 'blocked')
  await arm.put(inGroup('blocked', 'galleries/shared'), { location: 'eastus' })
  await arm.put(inGroup('blocked', 'galleries/free'), { location: 'eastus' })
  const ended = await follow(await arm.send('DELETE', group('blocked')))
  assert.equal(ended.status, 409)
  const { Code, Message, Details } = ended.body.Error
  assert.equal(Code, 'ResourceGroupDeletionBlocked')
  assert.match(
    Message,
    /^Deletion of resource group 'blocked' failed as resources with identifiers 'Microsoft.Compute\/galleries\/shared' could not be deleted\. The provisioning state of the resource group will be rolled back\./,
  )
  assert.equal(JSON.parse(Details[0].Message).error.code, 'OperationNotAllowed')
  assert.equal((await arm.send('GET', group('blocked'))).body.properties.provisioningState, 'Succeeded')
  stillShared = false
  assert.equal((await follow(await arm.send('DELETE', group('blocked')))).status, 200)
})

test('more than four deletions at once are told to wait', async () => {
  for (const name of ['q1', 'q2', 'q3', 'q4', 'q5']) await createGroup(arm, name)
  const held = { operation_id: 'op', provisioning_state: 'Deleting' }
  await arm.db.updateTable('resource').set(held).where('name', 'in', ['q1', 'q2', 'q3', 'q4']).execute()
  const refused = await arm.send('DELETE', group('q5'))
  assert.deepEqual([refused.status, refused.body.error.code], [429, 'TooManyRequests'])
  assert.equal(refused.headers.get('retry-after'), '1')
  await arm.db.deleteFrom('resource').where('name', 'like', 'q_').execute()
})

test('general lists show every resource of a group or subscription, filtered and in pages', async () => {
  await createGroup(arm, 'general')
  await arm.put(inGroup('general', 'galleries/g1'), { location: 'eastus', tags: { t: '1' } })
  await arm.put(inGroup('general', 'galleries/g1/images/i1'), image)
  await arm.put(inGroup('general', 'galleries/g2'), { location: 'westeurope' })
  const names = async (path: string): Promise<string[]> => {
    const found: string[] = []
    for (let next: string | undefined = path; next !== undefined;) {
      const page = await arm.send('GET', next)
      assert.equal(page.status, 200, page.text)
      assert.ok(page.body.value.length <= 2)
      found.push(...page.body.value.map(({ name }: { name: string }) => name))
      next = page.body.nextLink
    }
    return found
  }
  const inAll = `/subscriptions/${subscriptionId}/resources?api-version=2021-04-01`
  const own = `${groupPath('general')}/resources?api-version=2021-04-01`
  assert.deepEqual(await names(own), ['g1', 'g1/i1', 'g2'])
  assert.deepEqual(await names(`${inAll}&$filter=resourceGroup eq 'GENERAL'`), ['g1', 'g1/i1', 'g2'])
  assert.deepEqual(await names(`${own}&$filter=resourceType eq 'microsoft.compute/galleries'`), ['g1', 'g2'])
  assert.deepEqual(
    await names(`${own}&$filter=location eq 'West Europe' and resourceType eq 'Microsoft.Compute/galleries'`),
    ['g2'],
  )
  assert.deepEqual(await names(`${own}&$filter=resourceType eq 'A.B/c'`), [])
  assert.deepEqual(await names(`${own}&$filter=tagName eq 'T' and tagValue eq '1'`), ['g1'])
  assert.deepEqual(await names(`${own}&$filter=tagName eq 't' and tagValue eq '2'`), [])
  const tagged = { location: 'westeurope', tags: { made: 'here' } }
  await arm.send('PUT', `${groupPath('tagged')}?api-version=2021-04-01`, tagged)
  const groups = `/subscriptions/${subscriptionId}/resourcegroups?api-version=2021-04-01`
  assert.deepEqual(await names(`${groups}&$filter=tagname eq 'made' and tagvalue eq 'here'`), ['tagged'])
  const one = (await arm.send('GET', `${own}&%24expand=provisioningState&%24top=1`)).body.value
  assert.equal(one.length, 1)
  assert.deepEqual(one[0], {
    id: `${groupPath('GENERAL')}/providers/Microsoft.Compute/galleries/g1`,
    name: 'g1',
    type: 'Microsoft.Compute/galleries',
    location: 'eastus',
    tags: { t: '1' },
    provisioningState: 'Succeeded',
  })
  const bad = await arm.send('GET', `${own}&$filter=tagName eq 'x' or 1`)
  assert.deepEqual([bad.status, bad.body.error.code], [400, 'InvalidFilterInQueryString'])
})

test('subscriptions, locations, tenants and providers are what this server has', async () => {
  const subscriptions = await arm.send('GET', '/subscriptions?api-version=2019-11-01')
  assert.equal(subscriptions.body.value[0].subscriptionId, subscriptionId)
  const one = await arm.send('GET', `//subscriptions/${subscriptionId.toUpperCase()}/?api-version=2022-12-01`)
  assert.equal(one.body.state, 'Enabled')
  const locations = await arm.send('GET', `/subscriptions/${subscriptionId}/locations?api-version=2022-12-01`)
  assert.deepEqual(
    locations.body.value.map((region: { name: string; displayName: string }) => [region.name, region.displayName]),
    [
      ['westeurope', 'West Europe'],
      ['eastus', 'East US'],
    ],
  )
  assert.equal((await arm.send('GET', '/tenants?api-version=2022-12-01')).body.value.length, 1)
  const register = `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/register?api-version=2021-04-01`
  assert.equal((await arm.send('POST', register)).body.registrationState, 'Registered')
  const compute = await arm.send('GET', '/providers/Microsoft.Compute?api-version=2021-04-01')
  const types = compute.body.resourceTypes.map(({ resourceType }: { resourceType: string }) => resourceType)
  assert.ok(types.includes('galleries/images/versions'))
})
