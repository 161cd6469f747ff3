import assert from 'node:assert/strict'
import type { AzDocument } from './az.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

/** Resource groups with every option, and the locks on them. */
export function walkGroups({ az, step, server }: AzWalk): void {
  step('group create', async () => {
    const made: AzDocument = await az().run(...words('group create -n az -l westeurope --tags a=b'))
    assert.equal(made.properties.provisioningState, 'Succeeded')
    assert.deepEqual(made.tags, { a: 'b' })
  })
  step('group create --managed-by', async () => {
    const owner = `/subscriptions/${server().env.subscriptionId}/resourceGroups/az`
    const made = await az().run(...words('group create -n azmanaged -l westeurope --managed-by'), owner)
    assert.equal(made.managedBy, owner)
  })
  step('group show', async () => assert.equal((await az().run('group', 'show', '-n', 'az')).location, 'westeurope'))
  step('group list', async () => {
    assert.deepEqual(namesOf(await az().run('group', 'list')), ['az', 'azmanaged'])
    assert.deepEqual(namesOf(await az().run(...words('group list --tag a=b'))), ['az'])
  })
  step('group exists', async () => {
    assert.equal(await az().run('group', 'exists', '-n', 'az'), true)
    assert.equal(await az().run('group', 'exists', '-n', 'other'), false)
  })
  step('group update', async () => {
    const tags = async (...how: readonly string[]): Promise<unknown> =>
      (await az().run('group', 'update', '-n', 'az', ...how)).tags
    assert.deepEqual(await tags('--set', 'tags.c=d'), { a: 'b', c: 'd' })
    assert.deepEqual(await tags('--force-string', '--set', 'tags.n=1'), { a: 'b', c: 'd', n: '1' })
    assert.deepEqual(await tags('--tags', 'a=b', 'c=d'), { a: 'b', c: 'd' })
  })
  step('group wait', () => reaches(az, 'group wait -n az'))
  step('group lock create, list, show, update, delete', async () => {
    const lock = words('-n azlock -g azmanaged')
    const made = await az().run('group', 'lock', 'create', ...lock, ...words('-t CanNotDelete --notes why'))
    assert.deepEqual([made.level, made.notes], ['CanNotDelete', 'why'])
    const list = words('group lock list -g azmanaged')
    assert.deepEqual(namesOf(await az().run(...list)), ['azlock'])
    assert.deepEqual(namesOf(await az().run(...list, '--filter-string', 'atScope()')), ['azlock'])
    const changed = await az().run('group', 'lock', 'update', ...lock, ...words('-t ReadOnly --notes more'))
    assert.deepEqual([changed.level, changed.notes], ['ReadOnly', 'more'])
    assert.equal((await az().run('group', 'lock', 'show', ...lock)).level, 'ReadOnly')
    await az().run('group', 'lock', 'delete', ...lock)
    assert.deepEqual(await az().run(...list), [])
  })
  step('group delete --no-wait, then wait --deleted', async () => {
    const forced = ['--force-deletion-types', 'Microsoft.Compute/virtualMachines']
    await az().run(...words('group delete -n azmanaged -y --no-wait'), ...forced)
    await az().run(...words('group wait -n azmanaged --deleted --interval 1 --timeout 60'))
    assert.equal(await az().run('group', 'exists', '-n', 'azmanaged'), false)
  })
}

/** A wait command, with each of its conditions that what is there fulfils. */
export async function reaches(az: AzWalk['az'], command: string, ...of: readonly string[]): Promise<void> {
  // The one az looks at the resource as it is on the wire, the other at what it shows.
  const custom = ['--custom', "provisioningState=='Succeeded' || properties.provisioningState=='Succeeded'"]
  for (const condition of [['--created', '--updated'], custom, ['--exists']]) {
    const { code, stdout, stderr } = await az().attempt(
      ...words(command),
      ...of,
      ...condition,
      ...words('--interval 1 --timeout 30'),
    )
    // When its time is over the newer az exits with 0, and says so where others print what they found.
    assert.deepEqual([code, stdout], [0, ''], `${command} ${condition.join(' ')}: ${stderr}`)
  }
}
