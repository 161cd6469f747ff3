import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../db/open.ts'
import type { Db } from '../db/tables.ts'
import type { Change } from '../resources/behaviour.ts'
import type { Resource } from '../resources/resource.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { commitRecall, purgeOverdue } from './recycle-bin.ts'
import { findSoftDeleted, insertSoftDeleted } from './recycle-bin.rows.ts'
import { listReplicas, markReplicaCompleted, syncReplicas } from './replica.rows.ts'
import type { WantedReplica } from './replica.rows.ts'
import { findConsumable } from './shared-view.ts'
import { hasVersionIn } from './shared-view.rows.ts'

const dayMs = 86_400_000
const gallery = '/subscriptions/s/resourcegroups/g/providers/microsoft.compute/galleries/one'
const keyOf = (name: string): string => `${gallery}/images/d/versions/${name}`

const place = { region: 'eastus', storageClass: 'Standard_LRS', replicaCount: 1, lun: -1 } as const
const replica = (name: string): WantedReplica => ({ versionKey: keyOf(name), ...place })
const progress = { bytesTotal: 1, bytesDone: 1, bytesRead: 1, bytesNew: 1, bytesSent: 0, bytesStored: 1 }

suite('the end of retention', () => {
  let folder: string
  let db: Db
  let close: () => Promise<void>
  let nowMs = 10 * dayMs
  let sweeps = 0
  let deps: GalleryDependencies
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-bin-'))
    const database = await openDatabase({ path: join(folder, 'bin.db'), clock: systemClock })
    ;({ db } = database)
    close = () => database.close()
    const clock = { ...systemClock, now: () => nowMs }
    // The schedule reads these alone; the rest of the room is not there.
    deps = { db, clock, logger: silentLogger, requestSweep: () => (sweeps += 1) } as unknown as GalleryDependencies
    for (const [name, endMs] of [
      ['1.0.0', 12 * dayMs],
      ['2.0.0', 20 * dayMs],
    ] as const) {
      const resource = { key: keyOf(name), parentKey: `${gallery}/images/d`, name } as Resource
      const times = { deletedMs: 5 * dayMs, consumptionEndMs: endMs, hardDeleteMs: endMs }
      await insertSoftDeleted(db, { galleryKey: gallery, resource, deletedBy: 'me', ...times })
      await syncReplicas(db, resource.key, [replica(name)])
    }
  })
  after(async () => {
    await close()
    await rm(folder, { recursive: true, force: true })
  })
  const isKept = async (name: string): Promise<readonly boolean[]> => [
    (await findSoftDeleted(db, keyOf(name))) !== undefined,
    (await listReplicas(db, keyOf(name))).length > 0,
  ]

  test('nothing goes before its time', async () => {
    await purgeOverdue(deps, new AbortController().signal)
    assert.deepEqual(await isKept('1.0.0'), [true, true])
    assert.equal(sweeps, 0)
  })

  test('it is consumed by its name until consumptionEndTime, and no longer', async () => {
    const isConsumed = async (atMs: number): Promise<boolean> =>
      (await findConsumable({ db, clock: { now: () => atMs } }, keyOf('1.0.0'))) !== undefined
    assert.deepEqual([await isConsumed(12 * dayMs - 1), await isConsumed(12 * dayMs)], [true, false])
    const hasVersion = (atMs: number) => hasVersionIn(db, `${gallery}/images`, 'eastus', atMs)
    await markReplicaCompleted(db, replica('2.0.0'), { root: 'r', virtualSizeBytes: 1, progress }, 1)
    assert.deepEqual([await hasVersion(20 * dayMs - 1), await hasVersion(20 * dayMs)], [true, false])
  })

  test('row and replicas go together, and only those whose time is over', async () => {
    nowMs = 12 * dayMs
    await purgeOverdue(deps, new AbortController().signal)
    await purgeOverdue(deps, new AbortController().signal)
    assert.deepEqual(await isKept('1.0.0'), [false, false])
    assert.deepEqual(await isKept('2.0.0'), [true, true])
    assert.equal(sweeps, 1)
  })

  test('what was restored is not purged: who takes it out first decides', async () => {
    const id = { id: keyOf('2.0.0'), key: keyOf('2.0.0') }
    const change = { id } as Change
    await db.transaction().execute((tx) => commitRecall(tx, change))
    nowMs = 40 * dayMs
    await purgeOverdue(deps, new AbortController().signal)
    assert.deepEqual(await isKept('2.0.0'), [false, true], 'its replicas stay')
    await assert.rejects(
      db.transaction().execute((tx) => commitRecall(tx, change)),
      { code: 'Conflict' },
    )
  })
})
