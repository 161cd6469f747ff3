import assert from 'node:assert/strict'
import { ComputeManagementClient } from '@azure/arm-compute'
import type { ComputeManagementClientOptionalParams } from '@azure/arm-compute'
import { ClientSecretCredential } from '@azure/identity'
import type { TokenCredential } from '@azure/identity'
import { armCaller } from '../support/goldleaf.ts'
import { applicationsOf, communityOf, sharingOf } from './js-artifacts.ts'
import { invitesOf, newestOf } from './js-newest.ts'
import type { SdkStep, WalkFacts, WalkLine } from './sdk-steps.ts'

export type MakeClient = (
  credential: TokenCredential,
  subscriptionId: string,
  options: ComputeManagementClientOptionalParams,
) => ComputeManagementClient

export type Walk = readonly (readonly [SdkStep, () => Promise<unknown>])[]

const location = 'westeurope'
const names = ['sdk', 'sdk'] as const
const image = ['sdk', 'sdk', 'sdk'] as const

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** The walk in JavaScript; the methods are the same in every version since 17, so one walk serves them. */
export async function* jsWalk(
  make: MakeClient,
  { server, vhdUri, packageUri, has }: WalkFacts,
): AsyncGenerator<WalkLine> {
  const { endpoint, tenantId, clientId, clientSecret, subscriptionId } = server.env
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: endpoint,
    disableInstanceDiscovery: true,
  })
  const client = make(credential, subscriptionId, { endpoint, credentials: { scopes: [`${endpoint}/.default`] } })
  const arm = armCaller(server)
  const groupId = `/subscriptions/${subscriptionId}/resourceGroups/sdk`
  const group = `${groupId}?api-version=2021-04-01`
  const steps: Walk = [
    ['sign in and create a resource group', () => arm.must('PUT', group, { location })],
    ...galleriesOf(client),
    ...versionsOf(client, vhdUri, `${groupId}/providers/Microsoft.Storage/storageAccounts/sdkaccount`),
    ...disksOf(client),
    ...applicationsOf(client, packageUri),
    ...sharingOf(
      client,
      subscriptionId,
      has('invites: reject, accept') ? invitesOf(client, subscriptionId, tenantId) : [],
    ),
    ...communityOf(client),
    ...(has('scripts: create, get, list, update') ? newestOf(client, packageUri) : []),
    ...deletionOf(client),
    ['resource group: delete', () => arm.call('DELETE', group).then(({ status }) => assert.equal(status, 202))],
  ]
  for (const [name, run] of steps)
    try {
      await run()
      yield [name, undefined]
    } catch (error) {
      yield [name, error instanceof Error ? `${error.name}: ${error.message}` : String(error)]
    }
}

function galleriesOf(client: ComputeManagementClient): Walk {
  const definition = {
    location,
    osType: 'Linux',
    osState: 'Specialized',
    hyperVGeneration: 'V1',
    identifier: { publisher: 'sdk', offer: 'sdk', sku: 'sdk' },
  } as const
  return [
    [
      'galleries: create',
      async () => {
        const made = await client.galleries.beginCreateOrUpdateAndWait(...names, { location, description: 'one' })
        assert.equal(made.provisioningState, 'Succeeded')
      },
    ],
    ['galleries: get', async () => assert.equal((await client.galleries.get(...names)).description, 'one')],
    [
      'galleries: list by resource group',
      async () => assert.equal((await collect(client.galleries.listByResourceGroup('sdk'))).length, 1),
    ],
    ['galleries: list', async () => assert.equal((await collect(client.galleries.list())).length, 1)],
    [
      'galleries: update',
      async () => {
        const made = await client.galleries.beginUpdateAndWait(...names, { tags: { a: 'b' } })
        assert.deepEqual([made.tags, made.description], [{ a: 'b' }, 'one'])
      },
    ],
    [
      'images: create',
      async () => {
        const made = await client.galleryImages.beginCreateOrUpdateAndWait(...image, definition)
        assert.equal(made.identifier?.publisher, 'sdk')
      },
    ],
    ['images: get', async () => assert.equal((await client.galleryImages.get(...image)).osType, 'Linux')],
    [
      'images: list by gallery',
      async () => assert.equal((await collect(client.galleryImages.listByGallery(...names))).length, 1),
    ],
    [
      'images: update',
      async () => {
        const made = await client.galleryImages.beginUpdateAndWait(...image, { description: 'x', tags: { c: 'd' } })
        assert.equal(made.description, 'x')
      },
    ],
    [
      'images: change what may not change',
      () =>
        assert.rejects(
          client.galleryImages.beginCreateOrUpdateAndWait(...image, { ...definition, osType: 'Windows' }),
          {
            code: 'PropertyChangeNotAllowed',
          },
        ),
    ],
  ]
}

function versionsOf(client: ComputeManagementClient, uri: string, storageAccountId: string): Walk {
  const targetRegions = [
    { name: 'West Europe', regionalReplicaCount: 1 },
    { name: 'North Europe', storageAccountType: 'Premium_LRS' },
  ]
  const { galleryImageVersions: versions } = client
  return [
    [
      'versions: create from a VHD in two regions',
      async () => {
        const made = await versions.beginCreateOrUpdateAndWait(...image, '1.0.0', {
          location,
          publishingProfile: { targetRegions },
          storageProfile: { osDiskImage: { source: { uri, storageAccountId } } },
        })
        assert.equal(made.provisioningState, 'Succeeded')
      },
    ],
    [
      'versions: get with ReplicationStatus',
      async () => {
        const shown = await versions.get(...image, '1.0.0', { expand: 'ReplicationStatus' })
        assert.equal(shown.replicationStatus?.aggregatedState, 'Completed')
        assert.equal(shown.publishingProfile?.targetRegions?.length, 2)
      },
    ],
    [
      'versions: create from another version',
      async () => {
        const { id } = await versions.get(...image, '1.0.0')
        assert.ok(id)
        const body = { location, publishingProfile: { targetRegions }, storageProfile: { source: { id } } }
        assert.equal((await versions.beginCreateOrUpdateAndWait(...image, '1.0.1', body)).name, '1.0.1')
      },
    ],
    [
      'versions: list by image',
      async () => {
        const all = await collect(versions.listByGalleryImage(...image))
        assert.deepEqual(
          all.map(({ name }) => name),
          ['1.0.0', '1.0.1'],
        )
      },
    ],
    [
      'versions: update',
      async () => {
        const made = await versions.beginUpdateAndWait(...image, '1.0.1', {
          tags: { e: 'f' },
          publishingProfile: { targetRegions, excludeFromLatest: true },
        })
        assert.deepEqual([made.tags, made.publishingProfile?.excludeFromLatest], [{ e: 'f' }, true])
      },
    ],
  ]
}

function disksOf(client: ComputeManagementClient): Walk {
  const { disks, snapshots } = client
  return [
    [
      'snapshots: create, get, list, delete',
      async () => {
        const creationData = { createOption: 'Upload', uploadSizeBytes: 1_048_576 + 512 } as const
        await snapshots.beginCreateOrUpdateAndWait(...names, { location, creationData })
        assert.equal((await snapshots.get(...names)).creationData?.createOption, 'Upload')
        assert.equal((await collect(snapshots.listByResourceGroup('sdk'))).length, 1)
        await snapshots.beginDeleteAndWait(...names)
        await assert.rejects(snapshots.get(...names), { statusCode: 404 })
      },
    ],
    [
      'disks: create from the image, get, list, delete',
      async () => {
        const { id } = await client.galleryImageVersions.get(...image, '1.0.0')
        assert.ok(id)
        const creationData = { createOption: 'FromImage', galleryImageReference: { id } } as const
        await disks.beginCreateOrUpdateAndWait(...names, { location, creationData })
        assert.equal((await disks.get(...names)).provisioningState, 'Succeeded')
        assert.equal((await collect(disks.list())).length, 1)
        await disks.beginDeleteAndWait(...names)
        await assert.rejects(disks.get(...names), { statusCode: 404 })
      },
    ],
  ]
}

function deletionOf(client: ComputeManagementClient): Walk {
  return [
    [
      'galleries: delete with children below',
      () => assert.rejects(client.galleries.beginDeleteAndWait(...names), { code: 'CannotDeleteResource' }),
    ],
    [
      'versions: delete',
      async () => {
        for (const name of ['1.0.0', '1.0.1']) await client.galleryImageVersions.beginDeleteAndWait(...image, name)
        assert.deepEqual(await collect(client.galleryImageVersions.listByGalleryImage(...image)), [])
      },
    ],
    ['images: delete', () => client.galleryImages.beginDeleteAndWait(...image)],
    [
      'galleries: delete',
      async () => {
        await client.galleries.beginDeleteAndWait(...names)
        await assert.rejects(client.galleries.get(...names), { statusCode: 404 })
      },
    ],
  ]
}
