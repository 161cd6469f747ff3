import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { contributorRoleId, ownerRoleId } from '../../src/access/built-in-roles.ts'
import { grantRole } from '../../src/access/grant.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'
import { fixedVhd, someDisk } from '../wire/vhd.ts'
import { definitionBody, diskVersion, openWire } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'
import { head, sendRaw } from './raw.ts'

/**
 * Owen owns the gallery `mine` and nothing else. However the other gallery is spelled, in an address or in a body, it
 * stays the other gallery: refused, never with its content, never with an accident.
 */
suite('ids in odd spellings', { timeout: 60_000 }, () => {
  let wire: Wire
  let people: Principals
  let owen: TestUser
  let secret = ''
  before(async () => {
    wire = await openWire()
    people = await openPrincipals(wire.server)
    owen = await people.user('owen')
    await wire.gallery('mine')
    await wire.gallery('other')
    await wire.definition('mine/d')
    await wire.definition('other/secret', { description: 'hush-hush' })
    await wire.publish('other/secret/1.0.0', await wire.blob('secret.vhd', fixedVhd(someDisk(1))))
    await wire.arm.must('PUT', `${wire.group}2?api-version=2021-04-01`, { location: 'westeurope' })
    const owner = { tenantId: people.home, principalId: owen.objectId, principalType: 'User', nowMs: 1 } as const
    await grantRole(people.db, { ...owner, scope: wire.id('galleries/mine'), roleId: ownerRoleId })
    await grantRole(people.db, { ...owner, scope: `${wire.group}2`, roleId: contributorRoleId })
    secret = wire.id('galleries/other/images/secret/versions/1.0.0')
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await wire?.[Symbol.asyncDispose]()
  })

  const send = (method: string, path: string) => {
    const { httpEndpoint } = wire.server.env
    const headers = [
      ['host', new URL(httpEndpoint).host],
      ['authorization', `Bearer ${owen.token}`],
      ['connection', 'close'],
    ] as const
    return sendRaw(httpEndpoint, Buffer.from(head(`${method} ${path} HTTP/1.1`, headers), 'latin1'))
  }

  /** What stands for `mine` or `other` in an address. */
  const spellings: readonly string[] = [
    'other',
    'OTHER',
    '%6fther',
    '%4FTHER',
    'mine/../other',
    'mine/..//other',
    'mine/./../other',
    'mine%2f..%2fother',
    'mine%2F..%2Fother',
    'mine/%2e%2e/other',
    'mine/..%2fother',
    'mine%252f..%252fother',
    'mine%5c..%5cother',
    'mine\\..\\other',
    'mine/images/../../other',
    'mine/providers/Microsoft.Compute/galleries/other',
    'mine;/../other',
    'mine%00/../other',
    'mine%0d%0aother',
    'other%00',
    'other%20',
    '%20other',
    'other.',
    'other%2e',
    'other%2f',
    'other%7f',
    'other%09',
    'other%3f',
    'other%25',
    'other;x=1',
    'mine,other',
    '*',
    '..',
    '.',
    // Confusables: Greek omicron, full width, zero width space, combining mark, full stops and slashes of other blocks.
    '%CE%BFther',
    '%EF%BD%8Fther',
    'oth%E2%80%8Ber',
    'o%CC%88ther',
    'other%EF%BC%8E',
    'mine%EF%BC%8F..%EF%BC%8Fother',
    'mine%E2%88%95..%E2%88%95other',
    // Not UTF-8, overlong, surrogates, beyond every length.
    'other%ff',
    'mine%c0%af..%c0%afother',
    'mine%ed%a0%80',
    'other\xff',
    'o'.repeat(600),
  ]
  const below = ['', '/images/secret', '/images', '/providers/Microsoft.Authorization/roleAssignments']

  test('in an address: reading, writing and deleting are refused', async () => {
    for (const name of spellings)
      for (const path of below) {
        const version = path.endsWith('roleAssignments') ? '2022-04-01' : '2024-03-03'
        const address = `${wire.id(`galleries/${name}`)}${path}?api-version=${version}`
        for (const method of path === '' ? ['GET', 'DELETE'] : ['GET']) {
          const { statuses, text } = await send(method, address)
          assert.equal(statuses.length, 1, `${method} ${address}: ${text}`)
          assert.ok([400, 403, 404, 405].includes(statuses[0] ?? 0), `${method} ${address}: ${text}`)
          assert.doesNotMatch(text, /hush-hush|"value"/, address)
        }
      }
    assert.equal((await wire.arm.call('GET', wire.at('galleries/other'))).status, 200)
  })

  test('in an address: other letters, doubled and encoded slashes of the own thing change nothing', async () => {
    const own = wire.id('galleries/mine')
    for (const address of [own.toUpperCase(), own.replaceAll('/', '//'), own.replace('mine', '%6Dine'), `${own}/`])
      assert.deepEqual((await send('GET', `${address}?api-version=2024-03-03`)).statuses, [200], address)
  })

  const linked = (id: string): readonly unknown[] => [
    id,
    id.toUpperCase(),
    id.toLowerCase(),
    `${id}/`,
    `/${id}`,
    id.slice(1),
    ` ${id}`,
    `${id} `,
    `${id}\u0000`,
    `${id}\r\n`,
    `${id}?x=1`,
    `${id}#x`,
    id.replaceAll('/', '//'),
    id.replaceAll('/', '%2f'),
    id.replaceAll('/', '\\'),
    id.replace('other', '%6fther'),
    id.replace('other', 'mine/../other'),
    id.replace('other', 'mine/images/../../other'),
    id.replace('other', './other'),
    id.replace('other', 'οther'),
    id.replace('/galleries/', '/galleries/mine/galleries/'),
    id.replace('/resourceGroups/wire', ''),
    id.replace('/subscriptions/', '/subscriptions/../subscriptions/'),
    `https://management.azure.com${id}`,
    `${wire.id('galleries/mine')}${id}`,
    '',
    '/',
    [id],
    { id },
    7,
    'x'.repeat(100_000),
  ]
  const refused = async (path: string, body: unknown, why: string): Promise<void> => {
    const answer = await owen.arm.call('PUT', path, body)
    assert.ok(answer.status >= 400 && answer.status < 500, `${why}: ${answer.status} ${JSON.stringify(answer.body)}`)
    assert.doesNotMatch(JSON.stringify(answer.body), /hush-hush/, why)
    // 403 tells a right that is missing; everything else must not have looked.
    assert.notEqual(answer.body.error?.code, 'InternalServerError', why)
  }

  test('in a body: sources of a version, of an image, of a disk, and the image of a machine', async () => {
    const definition = secret.replace(/\/versions\/.*/, '')
    const disk = wire.id('disks/none')
    for (const id of [...linked(secret), ...linked(definition).slice(0, 3)]) {
      const why = JSON.stringify(id).slice(0, 200)
      const version = (storageProfile: unknown) => ({
        location: 'westeurope',
        properties: { storageProfile, publishingProfile: { targetRegions: [{ name: 'West Europe' }] } },
      })
      const at = wire.at('galleries/mine/images/d/versions/1.0.0')
      await refused(at, version({ source: { id } }), `source ${why}`)
      await refused(at, version({ source: { virtualMachineId: id } }), `machine ${why}`)
      await refused(at, version({ osDiskImage: { source: { id } } }), `disk image ${why}`)
      const here = `${wire.group}2/providers/Microsoft.Compute`
      const creationData = { createOption: 'FromImage', galleryImageReference: { id } }
      const disks = `${here}/disks/d?api-version=${diskVersion}`
      await refused(disks, { location: 'westeurope', properties: { creationData } }, `disk of ${why}`)
      const copy = { createOption: 'Copy', sourceResourceId: id }
      await refused(disks, { location: 'westeurope', properties: { creationData: copy } }, `copy of ${why}`)
      await refused(
        `${here}/images/i?api-version=2024-03-01`,
        { location: 'westeurope', properties: { sourceVirtualMachine: { id } } },
        `image of ${why}`,
      )
    }
    await refused(
      wire.at('galleries/mine/images/d/versions/1.0.0'),
      { location: 'westeurope', properties: { storageProfile: { source: { id: disk } } } },
      'a disk that is not there',
    )
    assert.deepEqual((await wire.arm.call('GET', wire.at('galleries/mine/images/d/versions'))).body.value, [])
    const disks = `${wire.group}2/providers/Microsoft.Compute/disks?api-version=${diskVersion}`
    assert.deepEqual((await wire.arm.call('GET', disks)).body.value, [])
  })

  test('in a body: what exists and is forbidden is answered like what does not exist', async () => {
    const absent = secret.replace('other', 'absent')
    const body = (id: string) => ({
      location: 'westeurope',
      properties: {
        storageProfile: { source: { id } },
        publishingProfile: { targetRegions: [{ name: 'West Europe' }] },
      },
    })
    const at = wire.at('galleries/mine/images/d/versions/1.0.0')
    const [one, two] = [await owen.arm.call('PUT', at, body(secret)), await owen.arm.call('PUT', at, body(absent))]
    assert.equal(one.body.error?.code, 'LinkedAuthorizationFailed')
    assert.equal(JSON.stringify(one.body).replaceAll('other', 'absent'), JSON.stringify(two.body))
  })

  test('a body does not choose what only the server knows', async () => {
    const { body: before } = await owen.arm.call('GET', wire.at('galleries/mine'))
    const answer = await owen.arm.call('PUT', wire.at('galleries/mine'), {
      location: 'westeurope',
      id: wire.id('galleries/other'),
      name: 'other',
      type: 'Microsoft.Compute/disks',
      tenantId: '11111111-1111-4111-8111-111111111111',
      subscriptionId: '11111111-1111-4111-8111-111111111111',
      resourceGroup: 'other',
      managedBy: wire.id('virtualMachines/x'),
      etag: 'evil',
      systemData: { createdBy: 'evil', createdAt: '1999-01-01T00:00:00Z' },
      'x-goldleaf': { evil: true },
      facts: { evil: true },
      operationId: 'evil',
      properties: {
        provisioningState: 'Deleting',
        identifier: { uniqueName: 'evil' },
        sharingProfile: { permissions: 'Private', groups: [{ type: 'AADTenants', ids: [people.home] }] },
        sharingStatus: { aggregatedState: 'evil' },
        'x-goldleaf': { evil: true },
      },
    })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    const shown = await wire.arm.call('GET', `${wire.at('galleries/mine')}&$select=Permissions`)
    const text = JSON.stringify(shown.body)
    assert.doesNotMatch(text, /evil|1999|AADTenants|Deleting/)
    assert.deepEqual([shown.body.id, shown.body.name, shown.body.type], [before.id, before.name, before.type])
    const other = await wire.arm.call('GET', wire.at('galleries/other'))
    assert.equal(other.body.properties?.provisioningState, 'Succeeded')
    const forged = await owen.arm.call('PUT', wire.at('galleries/mine/images/f'), {
      ...definitionBody('f'),
      id: secret,
      properties: {
        osType: 'Linux',
        osState: 'Specialized',
        identifier: { publisher: 'a', offer: 'b', sku: 'c', uniqueId: 'evil' },
        provisioningState: 'Failed',
      },
    })
    assert.equal(forged.status, 201, JSON.stringify(forged.body))
    assert.doesNotMatch(JSON.stringify(forged.body), /evil|Failed/)
  })
})
