import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ComputeManagementClient } from '@azure/arm-compute'
import { computeClient } from '../support/compute-client.ts'
import { seededBytes } from '../support/disks.ts'
import { armCaller, eventually, startGoldleaf } from '../support/goldleaf.ts'
import { assertRefused, openWire } from './wire.ts'
import type { Body, Refusal, Wire } from './wire.ts'

const group = 'wire'
const gallery = 'apps'

/** Applications, scripts and access profiles with Azure's newest SDK; what it would never send by hand. */
suite('the other artifacts of a gallery', { timeout: 120_000 }, () => {
  let wire: Wire
  let client: ComputeManagementClient
  let mediaLink = ''
  let scriptLink = ''
  before(async () => {
    wire = await openWire()
    client = computeClient(wire.server)
    await wire.gallery(gallery)
    mediaLink = await wire.blob('package.tar.gz', seededBytes(3)(300_001))
    scriptLink = await wire.blob('script.sh', Buffer.from('#!/bin/sh\necho hello\n'))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const at = (path: string, query = ''): string => wire.at(`galleries/${gallery}/${path}`, undefined, query)
  const version = (profile: Body = {}, more: Body = {}): Body => ({
    location: 'westeurope',
    properties: {
      publishingProfile: {
        source: { mediaLink },
        manageActions: { install: 'tar xf tool', remove: 'rm -r tool' },
        targetRegions: [{ name: 'West Europe' }],
        ...profile,
      },
      ...more,
    },
  })

  test('an application and a version of it, replicated to two regions', async () => {
    const application = await client.galleryApplications.createOrUpdate(group, gallery, 'tool', {
      location: 'westeurope',
      supportedOSType: 'Linux',
      description: 'A tool',
      customActions: [{ name: 'rotate', script: 'rotate.sh', parameters: [{ name: 'days', type: 'String' }] }],
    })
    assert.equal(application.supportedOSType, 'Linux')
    assert.equal(application.customActions?.[0]?.parameters?.[0]?.name, 'days')
    const made = await client.galleryApplicationVersions.createOrUpdate(group, gallery, 'tool', '1.0.0', {
      location: 'westeurope',
      publishingProfile: {
        source: { mediaLink, defaultConfigurationLink: scriptLink },
        manageActions: { install: 'sh install.sh', remove: 'sh remove.sh', update: 'sh update.sh' },
        settings: { packageFileName: 'tool.tar.gz', configFileName: 'tool.conf', scriptBehaviorAfterReboot: 'Rerun' },
        advancedSettings: { key: 'value' },
        enableHealthCheck: false,
        targetRegions: [
          { name: 'West Europe', regionalReplicaCount: 2 },
          { name: 'East US', excludeFromLatest: true },
        ],
      },
      safetyProfile: { allowDeletionOfReplicatedLocations: true },
    })
    assert.equal(made.provisioningState, 'Succeeded')
    const { publishingProfile, replicationStatus } = await client.galleryApplicationVersions.get(
      group,
      gallery,
      'tool',
      '1.0.0',
      { expand: 'ReplicationStatus' },
    )
    assert.equal(publishingProfile?.settings?.scriptBehaviorAfterReboot, 'Rerun')
    assert.equal(publishingProfile?.manageActions?.update, 'sh update.sh')
    assert.ok(publishingProfile?.publishedDate)
    assert.equal(replicationStatus?.aggregatedState, 'Completed')
    assert.deepEqual(
      replicationStatus?.summary?.map(({ region, state, progress }) => [region, state, progress]),
      [
        ['West Europe', 'Completed', 100],
        ['East US', 'Completed', 100],
      ],
    )
  })

  test('an application is written and deleted at once, as recorded (azure-cli, test_gallery_application)', async () => {
    const path = at('applications/brief')
    const body = { location: 'westeurope', properties: { supportedOSType: 'Windows' } }
    for (const [method, status] of Object.entries({ PUT: 201, PATCH: 200, DELETE: 200 })) {
      const answer = await wire.arm.call(method, path, method === 'DELETE' ? undefined : body)
      assert.equal(answer.status, status, method)
      assert.equal(answer.headers.get('azure-asyncoperation'), null)
    }
    assert.equal((await wire.arm.call('GET', path)).status, 404)
  })

  test('no state of an application is shown, that of a version is; lists are in order', async () => {
    const { body } = await wire.arm.call('GET', at('applications/tool'))
    assert.equal(body.properties?.provisioningState, undefined)
    await wire.arm.must('PUT', at('applications/tool/versions/1.0.10'), version())
    await wire.arm.must('PUT', at('applications/tool/versions/1.0.9'), version())
    const names = []
    for await (const { name } of client.galleryApplicationVersions.listByGalleryApplication(group, gallery, 'tool'))
      names.push(name)
    assert.deepEqual(names, ['1.0.0', '1.0.9', '1.0.10'])
  })

  test('regions, exclusion and dates change; the package does not', async () => {
    const changed = await client.galleryApplicationVersions.update(group, gallery, 'tool', '1.0.9', {
      publishingProfile: {
        source: { mediaLink },
        excludeFromLatest: true,
        endOfLifeDate: new Date('2040-01-01'),
        targetRegions: [{ name: 'West Europe' }, { name: 'North Europe' }],
      },
    })
    assert.equal(changed.publishingProfile?.targetRegions?.length, 2)
    assert.equal(changed.publishingProfile?.manageActions?.install, 'tar xf tool', 'PATCH leaves the rest')
    const described = await client.galleryApplications.update(group, gallery, 'tool', {
      supportedOSType: 'Linux',
      description: 'Another text',
    })
    assert.equal(described.description, 'Another text')
    const refused: readonly Refusal[] = [
      {
        why: 'the package',
        path: at('applications/tool/versions/1.0.9'),
        body: version({ source: { mediaLink: scriptLink } }),
        status: 409,
        code: 'PropertyChangeNotAllowed',
        says: /galleryApplicationVersion\.properties\.publishingProfile\.source\.mediaLink/,
      },
      {
        why: 'the operating system',
        path: at('applications/tool'),
        body: { location: 'westeurope', properties: { supportedOSType: 'Windows' } },
        status: 409,
        code: 'PropertyChangeNotAllowed',
        says: /galleryApplication\.properties\.supportedOSType/,
      },
    ]
    for (const one of refused) await assertRefused(wire, one)
  })

  test('what no version can be made of', async () => {
    const path = at('applications/tool/versions/2.0.0')
    const empty = await wire.blob('empty', Buffer.alloc(0))
    const base = { path, status: 400, code: 'InvalidParameter' }
    const refused: readonly Refusal[] = [
      {
        ...base,
        why: 'no package',
        body: version({ source: { mediaLink: `${mediaLink}.gone?sig=secret` } }),
        says: `The blob referenced by source uri ${mediaLink}.gone does not exist.`,
      },
      {
        ...base,
        why: "another's address",
        body: version({ source: { mediaLink: 'https://acct.blob.core.windows.net/c/tool.zip' } }),
        says: /points to 'acct\.blob\.core\.windows\.net/,
      },
      {
        ...base,
        why: 'an empty package',
        body: version({ source: { mediaLink: empty } }),
        says: `The blob referenced by source uri ${empty} is empty.`,
      },
      {
        ...base,
        why: 'keys',
        body: version({
          targetRegions: [{ name: 'westeurope', encryption: { osDiskImage: { diskEncryptionSetId: '/x' } } }],
        }),
        says: 'Gallery application version resources currently do not support encryption.',
      },
      {
        ...base,
        why: 'the name of another version',
        body: { ...version(), name: '2.0.1' },
        says: 'Entity name does not match the name in the request URL.',
      },
      {
        ...base,
        why: 'eleven replicas',
        body: version({ replicaCount: 11 }),
        says: /The value 11 of parameter galleryApplicationVersion\.properties\.publishingProfile\.replicaCount is out of range/,
      },
      {
        ...base,
        why: 'a name',
        path: at('applications/tool/versions/2.0'),
        body: version(),
        says: /^The gallery application version name is invalid/,
      },
      {
        ...base,
        why: 'no copy',
        body: version({ replicationMode: 'Shallow' }),
        code: 'OperationNotAllowed',
        says: /files are always copied/,
      },
      {
        ...base,
        why: 'an application with versions',
        method: 'DELETE',
        path: at('applications/tool'),
        status: 409,
        code: 'CannotDeleteResource',
        says: /applications\/tool\/versions\/1\.0\.0/,
      },
    ]
    for (const one of refused) await assertRefused(wire, one)
  })

  test('a script with parameters, and what its parameters may not be', async () => {
    await client.galleryScripts.createOrUpdate(group, gallery, 'hello_all', {
      location: 'westeurope',
      properties: { supportedOSType: 'Linux', description: 'Greets' },
    })
    const parameters = [
      { name: 'times', type: 'Int', minValue: '1', maxValue: '9', defaultValue: '3', required: true },
      { name: 'colour', type: 'Enum', enumValues: ['red', 'green'], defaultValue: 'green' },
    ]
    const made = await client.galleryScriptVersions.createOrUpdate(group, gallery, 'hello_all', '1.0.0', {
      location: 'westeurope',
      properties: {
        publishingProfile: {
          source: { scriptLink, parameters },
          targetRegions: [{ name: 'westeurope', storageAccountType: 'Standard_LRS' }, { name: 'eastus' }],
        },
      },
    })
    assert.equal(made.properties?.publishingProfile.source.parameters?.[0]?.maxValue, '9')
    const newest = wire.at(
      `galleries/${gallery}/scripts/hello_all/versions/1.0.0`,
      '2025-03-03',
      '&$expand=ReplicationStatus',
    )
    assert.equal((await wire.arm.call('GET', newest)).body.properties?.replicationStatus?.aggregatedState, 'Completed')
    await assertRefused(wire, {
      why: 'a default out of range',
      path: wire.at(`galleries/${gallery}/scripts/hello_all/versions/1.0.1`, '2025-03-03'),
      body: {
        location: 'westeurope',
        properties: {
          publishingProfile: {
            source: { scriptLink, parameters: [{ name: 'n', type: 'Int', maxValue: '2', defaultValue: '3' }] },
          },
        },
      },
      status: 400,
      code: 'InvalidParameter',
      says: /'n' of the script is invalid: its defaultValue '3' is greater than its maxValue '2'/,
    })
    await assertRefused(wire, {
      why: 'a dash in the name',
      path: wire.at(`galleries/${gallery}/scripts/hello-all`, '2025-03-03'),
      body: { location: 'westeurope', properties: { supportedOSType: 'Linux' } },
      status: 400,
      code: 'InvalidParameter',
      says: /galleryScriptName/,
    })
  })

  test('an access profile and its rules', async () => {
    await client.galleryInVMAccessControlProfiles.createOrUpdate(group, gallery, 'host', {
      location: 'westeurope',
      properties: { osType: 'Linux', applicableHostEndpoint: 'IMDS' },
    })
    const rules = {
      privileges: [{ name: 'instance', path: '/metadata/instance', queryParameters: { format: 'json' } }],
      roles: [{ name: 'reader', privileges: ['instance'] }],
      identities: [{ name: 'agent', userName: 'root', exePath: '/usr/bin/agent' }],
      roleAssignments: [{ role: 'reader', identities: ['agent'] }],
    }
    const made = await client.galleryInVMAccessControlProfileVersions.createOrUpdate(group, gallery, 'host', '1.0.0', {
      location: 'westeurope',
      mode: 'Enforce',
      defaultAccess: 'Deny',
      rules,
      targetLocations: [{ name: 'West Europe' }, { name: 'East US' }],
    })
    assert.deepEqual(JSON.parse(JSON.stringify(made.rules)), rules)
    assert.equal(made.replicationStatus?.aggregatedState, 'Completed')
    const excluded = await client.galleryInVMAccessControlProfileVersions.update(group, gallery, 'host', '1.0.0', {
      mode: 'Enforce',
      defaultAccess: 'Deny',
      excludeFromLatest: true,
    })
    assert.equal(excluded.excludeFromLatest, true)
    await assertRefused(wire, {
      why: 'a role that nobody wrote',
      path: at('inVMAccessControlProfiles/host/versions/1.0.1'),
      body: {
        location: 'westeurope',
        properties: {
          mode: 'Audit',
          defaultAccess: 'Allow',
          rules: { ...rules, roleAssignments: [{ role: 'writer', identities: ['agent'] }] },
        },
      },
      status: 400,
      code: 'InvalidParameter',
      says: /an assignment names the role 'writer', which is not in the rules/,
    })
  })

  test('kill -9 while a package is published: it ends all the same, whole in every region; then all of it goes', async () => {
    const { server } = wire
    const path = at('applications/tool/versions/3.0.0')
    const big = await wire.blob('big.tar.gz', seededBytes(9)(8 * 1024 * 1024 + 1))
    const regions = ['West Europe', 'North Europe', 'East US'].map((name) => ({ name }))
    const put = await wire.arm.call('PUT', path, version({ source: { mediaLink: big }, targetRegions: regions }))
    assert.equal(put.status, 201)
    await server.kill()
    await using next = await startGoldleaf({ data: server.data, earlier: server })
    const arm = armCaller(next)
    await eventually(async () => {
      const { body } = await arm.call('GET', `${path}&$expand=ReplicationStatus`)
      assert.equal(body.properties?.provisioningState, 'Succeeded')
      assert.equal(body.properties.replicationStatus?.aggregatedState, 'Completed')
    })
    for (const name of ['1.0.0', '1.0.9', '1.0.10', '3.0.0'])
      await arm.must('DELETE', at(`applications/tool/versions/${name}`))
    for (const leaf of [
      'applications/tool',
      'inVMAccessControlProfiles/host/versions/1.0.0',
      'inVMAccessControlProfiles/host',
    ])
      await arm.must('DELETE', at(leaf))
    for (const leaf of ['scripts/hello_all/versions/1.0.0', 'scripts/hello_all'])
      await arm.must('DELETE', wire.at(`galleries/${gallery}/${leaf}`, '2025-03-03'))
    await arm.must('DELETE', wire.at(`galleries/${gallery}`))
    assert.equal((await arm.call('GET', at('applications'))).status, 404)
  })
})
