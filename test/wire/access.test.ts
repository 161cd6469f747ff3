import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { runGoldleaf } from '../support/goldleaf.ts'
import type { Answer, ArmDocument } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'
import { definitionBody, diskVersion, openWire, vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'
import { fixedVhd } from './vhd.ts'

const version = '2022-04-01'
const roles = {
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
  imageReader: 'cf7c76d2-98a3-4358-a134-615aa78bf44d',
  vmContributor: '9980e02c-c2be-4d73-94e8-173b1dc7cf3c',
}

interface Shown extends ArmDocument {
  readonly properties?: ArmDocument['properties'] & {
    readonly principalId?: string
    readonly principalType?: string
    readonly roleDefinitionId?: string
    readonly roleName?: string
    readonly scope?: string
    readonly level?: string
    readonly children?: readonly { readonly id: string }[]
  }
}

suite('who may', () => {
  let wire: Wire
  let people: Principals
  let gallery = ''
  before(async () => {
    wire = await openWire()
    people = await openPrincipals(wire.server)
    await wire.gallery('golden')
    await wire.gallery('other')
    await wire.definition('golden/ubuntu')
    gallery = wire.id('galleries/golden')
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await wire?.[Symbol.asyncDispose]()
  })

  const authorization = (scope: string, path: string, apiVersion = version, query = ''): string =>
    `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/${path}?api-version=${apiVersion}${query}`
  const roleId = (id: string): string => `${wire.subscription}/providers/Microsoft.Authorization/roleDefinitions/${id}`
  const assign = (
    scope: string,
    principalId: string,
    role: string,
    more: Readonly<Record<string, unknown>> = {},
    name: string = randomUUID(),
  ): Promise<Answer> =>
    wire.arm.call('PUT', authorization(scope, `roleAssignments/${name}`), {
      properties: { principalId, roleDefinitionId: roleId(role), ...more },
    })
  const given = async (scope: string, principalId: string, role: string): Promise<Shown> => {
    const { status, body } = await assign(scope, principalId, role)
    assert.equal(status, 201, JSON.stringify(body))
    return body
  }
  const namesOf = ({ status, body }: Answer): readonly (string | undefined)[] => {
    assert.equal(status, 200, JSON.stringify(body))
    return (body.value ?? []).map(({ name }) => name)
  }
  const codeOf = ({ status, body }: Answer): string => `${status} ${body.error?.code}`
  const compute = (user: TestUser, method: string, path: string, body?: unknown): Promise<Answer> =>
    user.arm.call(method, wire.at(path), body)

  test('who has nothing sees nothing, and absent things look like forbidden ones', async () => {
    const nobody = await people.user('nobody')
    const { body } = await nobody.arm.call('GET', '/subscriptions?api-version=2022-12-01')
    assert.deepEqual(body.value, [])
    const missing = gallery.replace('golden', 'missing')
    for (const id of [gallery, missing]) {
      const answer = await nobody.arm.call('GET', `${id}?api-version=2024-03-03`)
      assert.equal(codeOf(answer), '403 AuthorizationFailed')
      assert.equal(
        answer.body.error?.message,
        `The client '${nobody.name}' with object id '${nobody.objectId}' does not have authorization to perform action ` +
          `'Microsoft.Compute/galleries/read' over scope '${id}' or the scope is invalid. If access was recently ` +
          `granted, please refresh your credentials.`,
      )
    }
    for (const path of ['resourceGroups', 'resources', 'providers', 'locations'])
      assert.equal(
        codeOf(await nobody.arm.call('GET', `${wire.subscription}/${path}?api-version=2021-04-01`)),
        '403 AuthorizationFailed',
      )
  })

  test('a right on one gallery: that gallery, in every list, and nothing beside it', async () => {
    const alice = await people.user('alice')
    const shown = await given(gallery, alice.objectId, roles.reader)
    assert.equal(shown.type, 'Microsoft.Authorization/roleAssignments')
    assert.equal(shown.id, `${gallery}/providers/Microsoft.Authorization/roleAssignments/${shown.name}`)
    assert.equal(shown.properties?.principalType, 'User')
    assert.equal(shown.properties?.scope, gallery)
    assert.equal((await compute(alice, 'GET', 'galleries/golden/images/ubuntu')).status, 200)
    assert.equal(codeOf(await compute(alice, 'GET', 'galleries/other')), '403 AuthorizationFailed')
    assert.equal(codeOf(await compute(alice, 'DELETE', 'galleries/golden/images/ubuntu')), '403 AuthorizationFailed')
    const galleries = 'providers/Microsoft.Compute/galleries?api-version=2024-03-03'
    for (const list of [`${wire.subscription}/${galleries}`, `${wire.group}/${galleries}`, `/${galleries}`])
      assert.deepEqual(namesOf(await alice.arm.call('GET', list)), ['golden'], list)
    assert.deepEqual(namesOf(await alice.arm.call('GET', `${wire.subscription}/resources?api-version=2021-04-01`)), [
      'golden',
      'golden/ubuntu',
    ])
    assert.deepEqual(
      namesOf(await alice.arm.call('GET', `${wire.subscription}/resourceGroups?api-version=2021-04-01`)),
      [],
    )
    const subscriptions = await alice.arm.call('GET', '/subscriptions?api-version=2022-12-01')
    assert.equal(subscriptions.body.value?.length, 1)
    assert.equal((await alice.arm.call('GET', `${wire.subscription}?api-version=2022-12-01`)).status, 200)
  })

  test('groups in groups give their rights; leaving takes them away at once', async () => {
    const bob = await people.user('bob')
    const inner = await people.group('inner', [bob.objectId])
    const outer = await people.group('outer', [inner])
    assert.equal((await compute(bob, 'GET', 'galleries/other')).status, 403)
    const assignment = await given(wire.group, outer, roles.reader)
    assert.equal(assignment.properties?.principalType, 'Group')
    assert.equal((await compute(bob, 'GET', 'galleries/other')).status, 200)
    const removed = await wire.arm.call('DELETE', `${assignment.id}?api-version=${version}`)
    assert.equal(removed.status, 200)
    assert.equal(removed.body.id, assignment.id)
    assert.equal((await compute(bob, 'GET', 'galleries/other')).status, 403)
    assert.equal((await wire.arm.call('DELETE', `${assignment.id}?api-version=${version}`)).status, 204)
  })

  test('assignments are made, repeated, read, listed and refused as in Azure', async () => {
    const carol = await people.user('carol')
    const name = randomUUID()
    const make = () => assign(wire.group, carol.objectId, roles.reader, { description: 'for a test' }, name)
    assert.equal((await make()).status, 201)
    assert.equal((await make()).status, 201, 'a template is deployed twice')
    const refusals: readonly (readonly [Promise<Answer>, string])[] = [
      [assign(wire.group, carol.objectId, roles.reader), '409 RoleAssignmentExists'],
      [assign(wire.group, carol.objectId, roles.owner, {}, name), '409 RoleAssignmentUpdateNotPermitted'],
      [assign(gallery, carol.objectId, roles.reader, {}, name), '409 RoleAssignmentUpdateNotPermitted'],
      [assign(wire.group, randomUUID(), roles.reader), '400 PrincipalNotFound'],
      [assign(wire.group, 'carol', roles.reader), '400 InvalidPrincipalId'],
      [assign(wire.group, carol.objectId, randomUUID()), '400 RoleDefinitionDoesNotExist'],
      [assign(wire.group, carol.objectId, roles.owner, { principalType: 'Group' }), '400 UnmatchedPrincipalType'],
      [assign(wire.group, carol.objectId, roles.owner, {}, 'no-guid'), '400 InvalidRoleAssignmentId'],
      [
        assign(wire.group, carol.objectId, roles.owner, {
          condition: '@Resource[x] StringEquals y',
          conditionVersion: '2.0',
        }),
        '400 RoleAssignmentConditionNotSupported',
      ],
      [assign(wire.group, carol.objectId, roles.owner, { condition: 'x' }), '400 InvalidRequestContent'],
      [assign(`${wire.subscription}/resourceGroups/none`, carol.objectId, roles.reader), '404 ResourceGroupNotFound'],
      [assign(gallery.replace('golden', 'none'), carol.objectId, roles.reader), '404 ResourceNotFound'],
      [assign('/subscriptions/none', carol.objectId, roles.reader), '404 SubscriptionNotFound'],
      [
        wire.arm.call('GET', authorization(wire.group, `roleAssignments/${randomUUID()}`)),
        '404 RoleAssignmentNotFound',
      ],
      [wire.arm.call('PATCH', authorization(wire.group, `roleAssignments/${name}`), {}), '405 MethodNotAllowed'],
      [
        wire.arm.call('GET', authorization(wire.group, 'roleAssignments', '1999-01-01')),
        '400 NoRegisteredProviderFound',
      ],
      [
        wire.arm.call('GET', authorization(wire.group, 'roleAssignments', version, '&$filter=x eq 1')),
        '400 InvalidFilterInQueryString',
      ],
      [
        wire.arm.call('PUT', authorization(wire.group, `roleAssignments/${randomUUID()}`), {}),
        '400 InvalidRequestContent',
      ],
    ]
    for (const [answer, code] of refusals) assert.equal(codeOf(await answer), code)
    const listed = async (scope: string, filter: string): Promise<readonly Shown[]> => {
      const query = filter === '' ? '' : `&$filter=${encodeURIComponent(filter)}`
      const { body } = await wire.arm.call('GET', authorization(scope, 'roleAssignments', version, query))
      return body.value ?? []
    }
    const own = (all: readonly Shown[]): readonly unknown[] =>
      all.filter(({ properties }) => properties?.principalId === carol.objectId).map((one) => one.name)
    for (const filter of [
      '',
      'atScope()',
      `principalId eq '${carol.objectId}'`,
      `atScope() and assignedTo('${carol.objectId}')`,
    ])
      assert.deepEqual(own(await listed(wire.group, filter)), [name], filter)
    assert.deepEqual(own(await listed(wire.subscription, '')), [name])
    assert.deepEqual(own(await listed(wire.subscription, 'atScope()')), [], 'what is below is left out')
    assert.deepEqual(own(await listed(gallery, 'atScope()')), [name], 'what is above is not')
    const old = await wire.arm.call('GET', authorization(wire.group, `roleAssignments/${name}`, '2015-07-01'))
    const shown: Shown = old.body
    assert.equal(shown.properties?.principalType, undefined)
  })

  test('who may not give rights cannot; Contributor least of all', async () => {
    const dan = await people.user('dan')
    await given(wire.group, dan.objectId, roles.contributor)
    const name = randomUUID()
    const answer = await dan.arm.call('PUT', authorization(wire.group, `roleAssignments/${name}`), {
      properties: { principalId: dan.objectId, roleDefinitionId: roleId(roles.owner) },
    })
    assert.equal(codeOf(answer), '403 AuthorizationFailed')
    assert.equal((await compute(dan, 'PUT', 'galleries/dans', { location: 'westeurope' })).status, 201)
    const permissions = await dan.arm.call('GET', authorization(wire.group, 'permissions'))
    assert.ok(JSON.stringify(permissions.body).includes('Microsoft.Compute/galleries/share/action'))
  })

  test('role definitions: built-in by name, custom ones with wildcards, limits of where they hold', async () => {
    const erin = await people.user('erin')
    const byName = await wire.arm.call(
      'GET',
      authorization(wire.subscription, 'roleDefinitions', '2022-05-01-preview', `&$filter=roleName%20eq%20'Reader'`),
    )
    assert.deepEqual(namesOf(byName), [roles.reader])
    const id = randomUUID()
    const custom = (properties: Readonly<Record<string, unknown>>, at: string = id): Promise<Answer> =>
      wire.arm.call('PUT', authorization(wire.subscription, `roleDefinitions/${at}`), {
        properties: {
          roleName: 'Gallery lister',
          description: 'reads',
          permissions: [{ actions: ['Microsoft.Compute/gall*/read'], notActions: ['*/versions/read'] }],
          assignableScopes: [wire.group],
          ...properties,
        },
      })
    assert.equal((await custom({})).status, 201)
    assert.equal(codeOf(await custom({}, randomUUID())), '409 RoleDefinitionWithSameNameExists')
    assert.equal(codeOf(await custom({ assignableScopes: ['/'] })), '400 InvalidRoleDefinition')
    assert.equal(codeOf(await custom({ permissions: [{ actions: ['??'] }] })), '400 InvalidActionOrNotAction')
    assert.equal(codeOf(await custom({}, roles.owner)), '400 InvalidRoleDefinition')
    assert.equal(codeOf(await assign(wire.subscription, erin.objectId, id)), '400 RoleDefinitionDoesNotExist')
    await given(gallery, erin.objectId, id)
    assert.equal((await compute(erin, 'GET', 'galleries/golden/images')).status, 200)
    assert.equal((await compute(erin, 'GET', 'galleries/golden/images/ubuntu/versions')).status, 403)
    const remove = () => wire.arm.call('DELETE', authorization(wire.subscription, `roleDefinitions/${id}`))
    assert.equal(codeOf(await remove()), '400 RoleDefinitionHasAssignments')
    assert.equal(
      codeOf(await wire.arm.call('GET', authorization(wire.subscription, `roleDefinitions/${randomUUID()}`))),
      '404 RoleDefinitionDoesNotExist',
    )
  })

  test('what goes takes the rights on it along', async () => {
    const frank = await people.user('frank')
    await wire.gallery('shortlived')
    await given(wire.id('galleries/shortlived'), frank.objectId, roles.reader)
    assert.equal((await compute(frank, 'GET', 'galleries/shortlived')).status, 200)
    await wire.arm.must('DELETE', wire.at('galleries/shortlived'))
    await wire.gallery('shortlived')
    assert.equal((await compute(frank, 'GET', 'galleries/shortlived')).status, 403)
  })

  test('locks: inherited, also against the group, and away with the lock', async () => {
    const lockAt = (scope: string, level: string): Promise<Answer> =>
      wire.arm.call('PUT', authorization(scope, 'locks/keep', '2020-05-01'), { properties: { level } })
    const unlock = (scope: string) => wire.arm.call('DELETE', authorization(scope, 'locks/keep', '2020-05-01'))
    await wire.gallery('locked')
    const locked = wire.id('galleries/locked')
    assert.equal((await lockAt(locked, 'CanNotDelete')).status, 201)
    assert.equal((await lockAt(locked, 'cannotdelete')).status, 200)
    assert.equal(codeOf(await lockAt(locked, 'Forever')), '400 InvalidLock')
    const refusal = await wire.arm.call('DELETE', wire.at('galleries/locked'))
    assert.equal(codeOf(refusal), '409 ScopeLocked')
    assert.equal(
      refusal.body.error?.message,
      `The scope '${locked}' cannot perform delete operation because following scope(s) are locked: '${locked}'. ` +
        `Please remove the lock and try again.`,
    )
    assert.equal(codeOf(await wire.arm.call('DELETE', `${wire.group}?api-version=2021-04-01`)), '409 ScopeLocked')
    assert.equal((await wire.arm.call('PUT', wire.at('galleries/locked'), { location: 'westeurope' })).status, 200)
    assert.equal((await unlock(locked)).status, 200)
    assert.equal((await unlock(locked)).status, 204)
    assert.equal((await lockAt(wire.group, 'ReadOnly')).status, 201)
    const path = 'galleries/locked/images/late'
    assert.equal(codeOf(await wire.arm.call('PUT', wire.at(path), definitionBody('late'))), '409 ScopeLocked')
    assert.equal(
      codeOf(await assign(gallery, randomUUID(), roles.reader, { principalType: 'User' })),
      '409 ScopeLocked',
    )
    const list = await wire.arm.call('GET', authorization(gallery, 'locks', '2020-05-01', '&$filter=atScope()'))
    assert.deepEqual(namesOf(list), ['keep'])
    assert.equal((await unlock(wire.group)).status, 200)
    assert.equal(
      codeOf(await wire.arm.call('GET', authorization(gallery, 'locks/keep', '2020-05-01'))),
      '404 LockNotFound',
    )
  })

  test('management groups: a right there holds in the subscriptions below', async () => {
    const gina = await people.user('gina')
    const second = await people.subscription('Second')
    const at = (path: string): string =>
      `/providers/Microsoft.Management/managementGroups/${path}?api-version=2021-04-01`
    const parent = { details: { parent: { id: '/providers/Microsoft.Management/managementGroups/platform' } } }
    assert.equal((await wire.arm.call('PUT', at('platform'), { properties: { displayName: 'Platform' } })).status, 200)
    assert.equal((await wire.arm.call('PUT', at('images'), { properties: parent })).status, 200)
    assert.equal(
      codeOf(
        await wire.arm.call('PUT', at('platform'), {
          properties: { details: { parent: { id: at('images').split('?')[0] } } },
        }),
      ),
      '400 InvalidManagementGroup',
    )
    assert.equal((await wire.arm.call('PUT', at(`images${second}`))).status, 200)
    await given('/providers/Microsoft.Management/managementGroups/platform', gina.objectId, roles.reader)
    const subscriptions = await gina.arm.call('GET', '/subscriptions?api-version=2022-12-01')
    assert.deepEqual(
      subscriptions.body.value?.map(({ id }) => id),
      [second],
    )
    assert.deepEqual(namesOf(await gina.arm.call('GET', at('').replace('/?', '?'))), ['images', 'platform'])
    const tree: Shown = (await wire.arm.call('GET', `${at('images')}&$expand=children`)).body
    assert.deepEqual(
      tree.properties?.children?.map(({ id }) => id),
      [second],
    )
    assert.equal(codeOf(await wire.arm.call('DELETE', at('images'))), '409 ManagementGroupNotEmpty')
    assert.equal((await wire.arm.call('DELETE', at(`images${second}`))).status, 204)
    assert.equal(codeOf(await gina.arm.call('GET', `${second}?api-version=2022-12-01`)), '403 AuthorizationFailed')
    assert.equal((await wire.arm.call('DELETE', at('images'))).status, 204)
    assert.equal(codeOf(await wire.arm.call('GET', at('images'))), '404 ManagementGroupNotFound')
  })

  test('an image in another tenant: with its token it may be used, without it Azure says why not', async () => {
    const uri = await wire.blob('shared.vhd', fixedVhd(Buffer.alloc(1024 * 1024, 7)))
    await wire.publish('golden/ubuntu/1.0.0', uri)
    const image = wire.id('galleries/golden/images/ubuntu/versions/1.0.0')
    const tenantB = await people.tenant('Fabrikam')
    const subscriptionB = await people.subscription('B', tenantB)
    const hugo = await people.user('hugo', tenantB)
    const guest = await people.user('hugo-guest')
    const { grantOwner } = await import('../../src/access/grant.ts')
    await grantOwner(people.db, {
      tenantId: tenantB,
      principalId: hugo.objectId,
      principalType: 'User',
      scope: subscriptionB,
      nowMs: Date.now(),
    })
    const own = await hugo.arm.call('GET', '/subscriptions?api-version=2022-12-01')
    assert.deepEqual(
      own.body.value?.map(({ id }) => id),
      [subscriptionB],
    )
    assert.equal(
      codeOf(await hugo.arm.call('GET', `${gallery}?api-version=2024-03-03`)),
      '401 InvalidAuthenticationTokenTenant',
    )
    const groupB = `${subscriptionB}/resourceGroups/b`
    assert.equal(
      (await hugo.arm.call('PUT', `${groupB}?api-version=2021-04-01`, { location: 'westeurope' })).status,
      201,
    )
    const vm = `${groupB}/providers/Microsoft.Compute/virtualMachines/vm`
    const create = (headers: Record<string, string> = {}): Promise<Answer> =>
      hugo.arm.call(
        'PUT',
        `${vm}?api-version=${vmVersion}`,
        {
          location: 'westeurope',
          properties: {
            hardwareProfile: { vmSize: 'Standard_B1s' },
            storageProfile: { imageReference: { id: image }, osDisk: { createOption: 'FromImage' } },
          },
        },
        headers,
      )
    const without = await create()
    assert.equal(codeOf(without), '403 LinkedAuthorizationFailed')
    assert.equal(
      without.body.error?.message,
      `The client has permission to perform action 'Microsoft.Compute/galleries/images/versions/read' on scope '${vm}', ` +
        `however the current tenant '${tenantB}' is not authorized to access linked subscription ` +
        `'${wire.server.env.subscriptionId}'.`,
    )
    const auxiliary = { 'x-ms-authorization-auxiliary': `Bearer ${guest.token}` }
    const refused = await create(auxiliary)
    assert.equal(codeOf(refused), '403 LinkedAuthorizationFailed')
    assert.equal(
      refused.body.error?.message,
      `The client '${guest.name}' with object id '${guest.objectId}' has permission to perform action ` +
        `'Microsoft.Compute/virtualMachines/write' on scope '${vm}'; however, it does not have permission to perform ` +
        `action 'Microsoft.Compute/galleries/images/versions/read' on the linked scope(s) '${image}' or the linked ` +
        `scope(s) are invalid.`,
    )
    assert.equal(
      codeOf(await create({ 'x-ms-authorization-auxiliary': 'Bearer forged' })),
      '401 InvalidAuthenticationToken',
    )
    const four = Array.from({ length: 4 }, () => `Bearer ${guest.token}`).join(', ')
    assert.equal(codeOf(await create({ 'x-ms-authorization-auxiliary': four })), '400 InvalidAuxiliaryTokens')
    await given(gallery, guest.objectId, roles.imageReader)
    // A disk is made from an image by the same rule, and no machine has to start for it.
    const disk = {
      location: 'westeurope',
      properties: { creationData: { createOption: 'FromImage', galleryImageReference: { id: image } } },
    }
    const diskB = `${groupB}/providers/Microsoft.Compute/disks/d?api-version=${diskVersion}`
    assert.equal(codeOf(await hugo.arm.call('PUT', diskB, disk)), '403 LinkedAuthorizationFailed')
    const made = await hugo.arm.call('PUT', diskB, disk, auxiliary)
    assert.equal(made.status, 202, JSON.stringify(made.body))
    assert.equal(
      codeOf(await hugo.arm.call('GET', wire.at('galleries/golden'), undefined, auxiliary)),
      '401 InvalidAuthenticationTokenTenant',
    )
  })

  test('a source needs a right of its own', async () => {
    const ivan = await people.user('ivan')
    await wire.gallery('ivans')
    await wire.definition('ivans/copy')
    await given(wire.id('galleries/ivans'), ivan.objectId, roles.contributor)
    const from = (source: unknown) =>
      compute(ivan, 'PUT', 'galleries/ivans/images/copy/versions/1.0.0', {
        location: 'westeurope',
        properties: {
          storageProfile: { source },
          publishingProfile: { targetRegions: [{ name: 'westeurope' }] },
        },
      })
    const id = wire.id('galleries/golden/images/ubuntu/versions/1.0.0')
    assert.equal(codeOf(await from({ id })), '403 LinkedAuthorizationFailed')
    const elsewhere = id.replace(wire.server.env.subscriptionId, randomUUID())
    assert.equal(
      codeOf(await from({ id: elsewhere })),
      '403 LinkedAuthorizationFailed',
      'absent subscriptions are not told',
    )
    await given(id, ivan.objectId, roles.imageReader)
    assert.equal((await from({ id })).status, 201)
  })

  test('questions: checkAccess, explainAccess and the command line agree', async () => {
    const judy = await people.user('judy')
    const team = await people.group('readers of golden', [judy.objectId])
    await given(gallery, team, roles.reader)
    const ask = async (action: string): Promise<unknown> => {
      const answer = await wire.arm.call('POST', authorization(gallery, 'checkAccess', '2018-09-01-preview'), {
        Subject: { Attributes: { ObjectId: judy.objectId } },
        Actions: [{ Id: action }],
        Resource: { Id: gallery },
      })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return (answer.body as unknown as readonly { readonly accessDecision: string }[])[0]?.accessDecision
    }
    assert.equal(await ask('Microsoft.Compute/galleries/read'), 'Allowed')
    assert.equal(await ask('Microsoft.Compute/galleries/write'), 'NotAllowed')
    const explain = (...args: readonly string[]) =>
      runGoldleaf(['access', 'explain', '--data', wire.server.data, ...args])
    const yes = await explain(judy.name, 'Microsoft.Compute/galleries/read', gallery)
    assert.match(yes.stdout, /the role 'Reader' is assigned through the group 'readers of golden' at '.*golden'/)
    await assert.rejects(explain('judy', 'Microsoft.Compute/galleries/share/action', gallery), (error) => {
      const { code, stdout } = error as { readonly code: number; readonly stdout: string }
      assert.equal(code, 1)
      assert.match(
        stdout,
        /of the roles that hold there \('Reader'\) none allows it\. Assign 'Compute Gallery Sharing Admin' or/,
      )
      return true
    })
    await assert.rejects(explain('nobody at all', 'x/read', '/'), /PrincipalNotFound/)
    const asked = await judy.arm.call('POST', authorization('/', 'explainAccess'), { principal: 'x', action: 'x/read' })
    assert.equal(codeOf(asked), '403 AuthorizationFailed')
    assert.equal((await wire.arm.call('GET', authorization('/', 'providerOperations/Microsoft.Compute'))).status, 200)
    assert.deepEqual(namesOf(await wire.arm.call('GET', authorization(gallery, 'denyAssignments'))), [])
    assert.deepEqual(
      namesOf(await wire.arm.call('GET', authorization(wire.subscription, 'classicAdministrators', '2015-07-01'))),
      [],
    )
  })

  test('tricks with addresses end in refusals', async () => {
    const kim = await people.user('kim')
    await given(gallery, kim.objectId, roles.owner)
    for (const path of [
      `${wire.group}/providers/Microsoft.Compute/galleries/golden%2f..%2fother?api-version=2024-03-03`,
      `${wire.group}/providers/Microsoft.Compute/galleries/golden/../other?api-version=2024-03-03`,
      `${gallery}%2f..%2fother/providers/Microsoft.Authorization/roleAssignments?api-version=${version}`,
      `${wire.subscription}//resourceGroups//wire/providers/Microsoft.Compute/galleries/OTHER?api-version=2024-03-03`,
    ]) {
      const { status } = await kim.arm.call('GET', path)
      assert.ok(status === 400 || status === 403 || status === 404, `${status} ${path}`)
    }
    const upper = gallery.toUpperCase().replace('/SUBSCRIPTIONS', '//subscriptions/')
    assert.equal((await kim.arm.call('GET', `${upper}?api-version=2024-03-03`)).status, 200)
  })
})
