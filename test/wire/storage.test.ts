import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  BlobServiceClient,
  ContainerClient,
  StorageSharedKeyCredential,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobSASPermissions,
  ContainerSASPermissions,
} from '@azure/storage-blob'
import { fixedVhd } from './vhd.ts'
import { assertRefused, diskVersion, openWire, versionBody } from './wire.ts'
import type { Wire } from './wire.ts'

const storageVersion = '2022-09-01'

/** Storage accounts as az, SDKs and packer use them: resource, keys, containers, blobs, signatures, copies, sources. */
suite('storage accounts', { timeout: 120_000 }, () => {
  let wire: Wire
  let endpoint = ''
  let key = ''
  let service: BlobServiceClient
  const accountId = (name: string): string => `${wire.group}/providers/Microsoft.Storage/storageAccounts/${name}`
  const at = (name: string, action = ''): string => `${accountId(name)}${action}?api-version=${storageVersion}`
  const bytes = Buffer.alloc(3 * 1024 * 1024, 'golden')
  const code = (wanted: string) => (error: unknown) => {
    assert.equal((error as { code?: string }).code, wanted, String(error))
    return true
  }

  before(async () => {
    wire = await openWire()
    await wire.gallery('g')
    await wire.definition('g/d')
  })
  after(() => wire?.[Symbol.asyncDispose]())

  test('made, shown with its endpoint, listed, its keys handed out and renewed', async () => {
    const body = { location: 'westeurope', sku: { name: 'Standard_LRS' }, kind: 'StorageV2', properties: {} }
    const made = await wire.arm.call('PUT', at('golden1'), body)
    assert.equal(made.status, 200, JSON.stringify(made.body))
    const shown = (await wire.arm.call('GET', at('golden1'))).body.properties as unknown as {
      primaryEndpoints: { blob: string }
      provisioningState: string
    }
    assert.equal(shown.provisioningState, 'Succeeded')
    assert.match(shown.primaryEndpoints.blob, /\/blob\/golden1\/$/)
    endpoint = `${wire.server.env.httpEndpoint}/blob/golden1`
    const keys = async (): Promise<{ keyName: string; value: string }[]> => {
      const { status, body: found } = await wire.arm.call('POST', at('golden1', '/listKeys'))
      assert.equal(status, 200)
      return (found as unknown as { keys: { keyName: string; value: string }[] }).keys
    }
    const [first, second] = await keys()
    await wire.arm.must('POST', at('golden1', '/regenerateKey'), { keyName: 'key1' })
    const [renewed, kept] = await keys()
    assert.notEqual(renewed?.value, first?.value)
    assert.equal(kept?.value, second?.value)
    key = renewed?.value ?? ''
    assert.ok(!JSON.stringify((await wire.arm.call('GET', at('golden1'))).body).includes(key), 'no GET shows a key')
    service = new BlobServiceClient(endpoint, new StorageSharedKeyCredential('golden1', key))
    const stale = new BlobServiceClient(endpoint, new StorageSharedKeyCredential('golden1', first?.value ?? ''))
    await assert.rejects(stale.getContainerClient('vhds').create(), code('AuthenticationFailed'))
    await assertRefused(wire, {
      why: 'one name is one account',
      path: at('golden1').replace('resourceGroups/wire', 'resourceGroups/wire').replace('golden1', 'GOLDEN'),
      body,
      status: 400,
      code: 'AccountNameInvalid',
      says: /not a valid storage account name/,
    })
    const asked = await wire.arm.call(
      'POST',
      `${wire.subscription}/providers/Microsoft.Storage/checkNameAvailability?api-version=${storageVersion}`,
      { name: 'golden1', type: 'Microsoft.Storage/storageAccounts' },
    )
    assert.deepEqual([asked.status, (asked.body as { nameAvailable?: boolean }).nameAvailable], [200, false])
  })

  test('containers and blobs by the account key: block, page, ranges, properties, lists, deletion', async () => {
    const vhds = service.getContainerClient('vhds')
    await assert.rejects(vhds.getBlockBlobClient('x').upload('x', 1), code('ContainerNotFound'))
    await vhds.create({ metadata: { owner: 'me' } })
    await assert.rejects(vhds.create(), code('ContainerAlreadyExists'))
    assert.equal((await vhds.getProperties()).metadata?.['owner'], 'me')
    assert.equal(await vhds.exists(), true)
    const blob = vhds.getBlockBlobClient('a folder/dïsk & <1>.bin')
    await blob.uploadData(bytes, { blockSize: 1024 * 1024, maxSingleShotSize: 1024, metadata: { a: '1' } })
    assert.ok((await blob.downloadToBuffer()).equals(bytes))
    assert.ok((await blob.downloadToBuffer(5, 10)).equals(bytes.subarray(5, 15)))
    const { etag, metadata } = await blob.getProperties()
    assert.equal(metadata?.['a'], '1')
    await assert.rejects(blob.download(0, 1, { conditions: { ifMatch: '"other"' } }), code('ConditionNotMet'))
    assert.ok(etag)
    const page = vhds.getPageBlobClient('os.vhd')
    const vhd = fixedVhd(bytes)
    await page.create(vhd.length)
    await page.uploadPages(vhd.subarray(0, 1024 * 1024), 0, 1024 * 1024)
    await page.uploadPages(vhd.subarray(1024 * 1024), 1024 * 1024, vhd.length - 1024 * 1024)
    assert.ok((await page.downloadToBuffer()).equals(vhd))
    for (const name of ['a folder/2', 'a folder/sub/3', 'z']) await vhds.getBlockBlobClient(name).upload('x', 1)
    const names: string[] = []
    for await (const one of vhds.listBlobsFlat()) names.push(one.name)
    assert.deepEqual(names, ['a folder/2', 'a folder/dïsk & <1>.bin', 'a folder/sub/3', 'os.vhd', 'z'])
    const seen: string[] = []
    for await (const part of vhds.listBlobsByHierarchy('/').byPage({ maxPageSize: 1 }))
      seen.push(
        ...(part.segment.blobPrefixes ?? []).map(({ name }) => name),
        ...part.segment.blobItems.map(({ name }) => name),
      )
    assert.deepEqual(seen, ['a folder/', 'os.vhd', 'z'])
    await service.createContainer('other')
    const containers: string[] = []
    for await (const one of service.listContainers()) containers.push(one.name)
    assert.deepEqual(containers, ['other', 'vhds'])
    await service.deleteContainer('other')
    await vhds.deleteBlob('z')
    assert.equal(await vhds.getBlobClient('z').exists(), false)
  })

  test('signatures permit what they say, and nothing else', async () => {
    const credential = new StorageSharedKeyCredential('golden1', key)
    const expiresOn = new Date(Date.now() + 600_000)
    const read = generateBlobSASQueryParameters(
      { containerName: 'vhds', blobName: 'os.vhd', permissions: BlobSASPermissions.parse('r'), expiresOn },
      credential,
    ).toString()
    const sized = await fetch(`${endpoint}/vhds/os.vhd?${read}`, { method: 'HEAD' })
    assert.equal(sized.status, 200)
    const refused = async (url: string, init: RequestInit, wanted: string): Promise<void> => {
      const answer = await fetch(url, init)
      assert.equal(answer.status, 403, await answer.text())
      assert.equal(answer.headers.get('x-ms-error-code'), wanted)
    }
    await refused(`${endpoint}/vhds/a%20folder/2?${read}`, {}, 'AuthenticationFailed')
    await refused(`${endpoint}/vhds/os.vhd?${read}`, { method: 'DELETE' }, 'AuthorizationPermissionMismatch')
    await refused(`${endpoint}/vhds/os.vhd?${read.replace('sp=r', 'sp=rwd')}`, {}, 'AuthenticationFailed')
    const old = generateBlobSASQueryParameters(
      { containerName: 'vhds', permissions: ContainerSASPermissions.parse('rl'), expiresOn: new Date(1) },
      credential,
    ).toString()
    await refused(`${endpoint}/vhds/os.vhd?${old}`, {}, 'AuthenticationFailed')
    const list = generateBlobSASQueryParameters(
      { containerName: 'vhds', permissions: ContainerSASPermissions.parse('rl'), expiresOn },
      credential,
    ).toString()
    const names: string[] = []
    for await (const one of new ContainerClient(`${endpoint}/vhds?${list}`).listBlobsFlat({ prefix: 'os' }))
      names.push(one.name)
    assert.deepEqual(names, ['os.vhd'])
    const wide = generateAccountSASQueryParameters(
      {
        services: AccountSASServices.parse('b').toString(),
        resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
        permissions: AccountSASPermissions.parse('rwlc'),
        expiresOn,
      },
      credential,
    ).toString()
    await new BlobServiceClient(`${endpoint}?${wide}`).createContainer('by-sas')
    await refused(
      `${endpoint}/by-sas?restype=container&${wide}`,
      { method: 'DELETE' },
      'AuthorizationPermissionMismatch',
    )
    const page = `${endpoint}/vhds?restype=container&comp=list&maxresults=0&${list}`
    assert.match(await (await fetch(page)).text(), /<Code>OutOfRangeQueryParameterValue</)
    const bearer = { authorization: `Bearer ${wire.server.token}` }
    assert.equal((await fetch(`${endpoint}/vhds/os.vhd`, { headers: bearer, method: 'HEAD' })).status, 200)
    assert.equal((await fetch(`${endpoint}/vhds/os.vhd`)).status, 401)
  })

  test('blobs are copied from this server and from nowhere else', async () => {
    const vhds = service.getContainerClient('vhds')
    const copy = vhds.getPageBlobClient('copy.vhd')
    const poller = await copy.beginCopyFromURL(`${endpoint}/vhds/os.vhd`)
    assert.equal((await poller.pollUntilDone()).copyStatus, 'success')
    assert.ok((await copy.downloadToBuffer()).equals(fixedVhd(bytes)))
    for (const source of ['http://169.254.169.254/latest', `${wire.server.env.httpEndpoint}/metadata/endpoints`])
      await assert.rejects(vhds.getBlobClient('no').beginCopyFromURL(source))
  })

  test('its VHDs are sources of versions, disks and images, by both forms of address', async () => {
    const virtualHost = 'https://golden1.blob.core.windows.net/vhds/os.vhd'
    for (const [version, uri] of [
      ['1.0.0', `${endpoint}/vhds/os.vhd`],
      ['1.0.1', virtualHost],
    ] as const)
      await wire.arm.must('PUT', wire.at(`galleries/g/images/d/versions/${version}`), versionBody(uri))
    await wire.arm.must('PUT', wire.at('disks/imported', diskVersion), {
      location: 'westeurope',
      properties: {
        osType: 'Linux',
        creationData: { createOption: 'Import', sourceUri: virtualHost, storageAccountId: accountId('golden1') },
      },
    })
    const granted = await wire.arm.must('POST', wire.at('disks/imported/beginGetAccess', diskVersion), {
      access: 'Read',
      durationInSeconds: 600,
    })
    const { body } = await wire.arm.call('GET', granted.headers.get('location') ?? '')
    const exported = (body.accessSAS ?? '').replace(wire.server.env.endpoint, wire.server.env.httpEndpoint)
    const copy = service.getContainerClient('vhds').getPageBlobClient('exported.vhd')
    const done = await (await copy.beginCopyFromURL(exported)).pollUntilDone()
    assert.equal(done.copyStatus, 'success')
    assert.ok((await copy.downloadToBuffer(0, bytes.length)).equals(bytes), 'a disk that went out comes back')
    await assertRefused(wire, {
      why: "an account that is not this server's",
      path: wire.at('galleries/g/images/d/versions/1.0.2'),
      body: versionBody('https://another.blob.core.windows.net/vhds/os.vhd'),
      status: 400,
      code: 'InvalidParameter',
      says: /Fetching bytes from other hosts is not supported/,
    })
  })

  test('an account that goes takes its blobs along', async () => {
    assert.equal((await wire.arm.call('DELETE', at('golden1'))).status, 200)
    assert.equal((await wire.arm.call('GET', at('golden1'))).status, 404)
    await wire.arm.must('PUT', at('golden1'), {
      location: 'westeurope',
      sku: { name: 'Standard_LRS' },
      kind: 'StorageV2',
    })
    const bearer = { authorization: `Bearer ${wire.server.token}` }
    const found = await fetch(`${endpoint}/vhds/os.vhd`, { headers: bearer })
    assert.equal(found.status, 404)
  })
})
