import assert from 'node:assert/strict'
import type { AzDocument } from './az.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

/** Feature and provider registration: states that really change. */
export function walkRegistrations(walk: AzWalk): void {
  walkFeatures(walk)
  walkProviders(walk)
}

function walkFeatures({ az, step }: AzWalk): void {
  const feature = words('--namespace Microsoft.Compute --name GalleryPreview')
  const registered = async (expected: string): Promise<void> => {
    for (;;) {
      const { properties } = await az().run('feature', 'show', ...feature)
      if (properties.state === expected) return
      assert.match(properties.state, /^(Pending|Registering|Unregistering)$/)
    }
  }
  step('feature register', async () => {
    await az().run('feature', 'register', ...feature)
    await registered('Registered')
  })
  step('feature show', async () => {
    assert.match((await az().run('feature', 'show', ...feature)).id, /GalleryPreview$/i)
  })
  step('feature list', async () => {
    const list = await az().run('feature', 'list', '--namespace', 'Microsoft.Compute')
    assert.ok(namesOf(list).includes('Microsoft.Compute/GalleryPreview'))
  })
  step('feature unregister', async () => {
    await az().run('feature', 'unregister', ...feature)
    await registered('Unregistered')
  })
  step('feature registration create, show, list, delete', async () => {
    const create = ['feature', 'registration', 'create', ...feature]
    assert.match((await az().run(...create)).id, /subscriptionFeatureRegistrations\/GalleryPreview$/i)
    await registered('Registered')
    const shown = await az().run(
      ...words('feature registration show --name GalleryPreview'),
      ...namespaced('--provider-namespace'),
    )
    assert.equal(shown.properties.state, 'Registered')
    const list = (): Promise<AzDocument> => az().run('feature', 'registration', 'list', ...namespaced('--namespace'))
    assert.deepEqual(namesOf(await list()), ['GalleryPreview'])
    await az().run('feature', 'registration', 'delete', ...feature, '-y')
    assert.deepEqual(await list(), [])
  })
}

const namespaced = (option: string): readonly string[] => [option, 'Microsoft.Compute']

function walkProviders({ az, step }: AzWalk): void {
  const stateOf = async (name: string): Promise<string> =>
    (await az().run('provider', 'show', '-n', name)).registrationState
  step('provider list', async () => {
    const list = await az().run('provider', 'list', '--expand', 'resourceTypes/aliases')
    assert.ok(list.some((one: AzDocument) => one.namespace === 'Microsoft.Compute'))
  })
  step('provider show --expand', async () => {
    const shown = await az().run('provider', 'show', ...namespaced('-n'), '--expand', 'resourceTypes/aliases')
    assert.ok(shown.resourceTypes.some((one: AzDocument) => one.resourceType === 'galleries/images/versions'))
  })
  step('provider operation list, show', async () => {
    const all: readonly AzDocument[] = await az().run('provider', 'operation', 'list')
    assert.ok(all.some((one) => one.name === 'Microsoft.Compute'))
    const shown = await az().run('provider', 'operation', 'show', ...namespaced('-n'))
    const galleries = shown.resourceTypes.find((one: AzDocument) => one.name === 'galleries')
    assert.ok(namesOf(galleries.operations).includes('Microsoft.Compute/galleries/write'))
  })
  step('provider permission list', async () => {
    assert.deepEqual((await az().run('provider', 'permission', 'list', ...namespaced('-n'))).value ?? [], [])
  })
  step('provider unregister', async () => {
    await az().run('provider', 'unregister', '-n', 'Microsoft.Storage', '--wait')
    assert.equal(await stateOf('Microsoft.Storage'), 'Unregistered')
  })
  step('provider register', async () => {
    const consent = words('--wait --consent-to-permissions --accept-terms')
    await az().run('provider', 'register', '-n', 'Microsoft.Storage', ...consent)
    assert.equal(await stateOf('Microsoft.Storage'), 'Registered')
  })
  step('provider register --management-group-id (refused)', () =>
    az().refused(/InvalidResourceType/, ...words('provider register -n Microsoft.Storage --management-group-id any')),
  )
}
