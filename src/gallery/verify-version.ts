import type { Json, JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { editResourceProperties } from '../resources/resource.rows.ts'
import type { DiskStore, VerifyResult } from '../store/disk-store.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { isDamage, repairFromPeers } from './repair-replica.ts'
import { listPlacesOfRoot, listReplicas, markReplicaFailed, markReplicaWhole } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { withIntegrity } from './validations.ts'
import { lunName } from './version-properties.ts'

/**
 * Reads and checks every byte of every replica of a version. What one region lost is taken from another that has the same
 * disk; what nobody has is reported, and its row says so, so that `latest` no longer counts on it. The result says what
 * was found, region by region.
 */
export function verifyVersion(deps: GalleryDependencies): Workflow {
  return {
    name: 'verify-version',
    steps: [{ name: 'verify', run: (step) => verify(step, deps) }],
    async settle(tx, { resourceKey }, outcome) {
      if (outcome.state !== 'Succeeded') return
      const replicas = await listReplicas(tx, resourceKey)
      await editResourceProperties(tx, resourceKey, (properties) =>
        withIntegrity(properties, replicas, deps.clock.now()),
      )
    },
  }
}

type VerifyStep = StepContext<JsonObject>
type StoredReplica = Replica & { readonly root: string }

/** What a look at one replica found; without a whole manifest nobody knows which frames there should be. */
interface Finding extends VerifyResult {
  readonly hasManifest: boolean
}

async function verify(step: VerifyStep, deps: GalleryDependencies): Promise<Json> {
  const checked: JsonObject[] = []
  for (const replica of await listReplicas(deps.db, step.resourceKey)) {
    const { region, lun, storageClass, state, root } = replica
    const facts = {
      region,
      lun,
      storageClass,
      state,
      framesChecked: 0,
      bytesChecked: 0,
      repaired: 0,
      unrepaired: 0,
      lost: [],
    }
    if (root === undefined) checked.push(facts)
    else checked.push({ ...facts, root, ...(await verifyReplica(step, { ...replica, root }, deps)) })
  }
  return { replicas: checked }
}

async function verifyReplica(step: VerifyStep, replica: StoredReplica, deps: GalleryDependencies): Promise<JsonObject> {
  try {
    const store = deps.stores.store(replica.region, replica.storageClass)
    const first = await look(step, store, replica)
    const { regions, ...found } = isWhole(first)
      ? { ...first, regions: [] }
      : await repair(step, store, replica, first, deps)
    const { framesChecked, bytesChecked, repaired, unrepaired, lost } = found
    const facts = {
      framesChecked,
      bytesChecked,
      repaired,
      unrepaired,
      lost,
      ...(regions.length > 0 ? { repairedFrom: regions } : {}),
    }
    if (isWhole(found)) {
      if (replica.state === 'Failed') await markReplicaWhole(deps.db, replica, deps.clock.now())
      return { ...facts, state: 'Completed', ...(unrepaired > 0 ? { details: describeWeakness(replica, found) } : {}) }
    }
    const details = describeDamage(replica, found)
    await markReplicaFailed(deps.db, replica, details, deps.clock.now())
    return { ...facts, state: 'Failed', details }
  } catch (error) {
    // A region out of order says nothing about its bytes, and must not keep the others from being checked.
    if (!(error instanceof Problem) || step.signal.aborted) throw error
    deps.logger.error({ err: error, region: replica.region, root: replica.root }, 'a replica could not be verified')
    return { state: 'Unavailable', details: error.message }
  }
}

async function look(step: VerifyStep, store: DiskStore, replica: StoredReplica): Promise<Finding> {
  try {
    const found = await store.verify(replica.root, {
      signal: step.signal,
      onProgress: (progress) => step.report({ region: replica.region, lun: replica.lun, ...progress }),
    })
    return { ...found, hasManifest: true }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { framesChecked: 0, bytesChecked: 0, repaired: 0, unrepaired: 0, lost: [], hasManifest: false }
  }
}

function isWhole(found: Finding): boolean {
  return found.hasManifest && found.lost.length === 0
}

/** Looks again after each repair: only what was read back counts. Lost frames show once there is a manifest again. */
async function repair(
  step: VerifyStep,
  store: DiskStore,
  replica: StoredReplica,
  first: Finding,
  deps: GalleryDependencies,
): Promise<Finding & { readonly regions: readonly string[] }> {
  const peers = (await listPlacesOfRoot(deps.db, replica.root))
    .filter((place) => place.region !== store.region || place.storageClass !== store.storageClass)
    .map((place) => deps.stores.store(place.region, place.storageClass))
  const regions = new Set<string>()
  let found = first
  for (let round = 0; round < 2 && !isWhole(found); round += 1) {
    const { logger } = deps
    const { root, replicaCount: copies } = replica
    const gave = await repairFromPeers({ store, root, peers, copies, signal: step.signal, logger })
    if (!gave) break
    for (const region of gave) regions.add(region)
    const now = await look(step, store, replica)
    const mended = Math.max(0, found.lost.length - now.lost.length) + (now.hasManifest && !found.hasManifest ? 1 : 0)
    found = { ...now, repaired: found.repaired + mended + now.repaired }
  }
  return { ...found, regions: [...regions] }
}

/** Nothing is lost, but one copy the less stands between the disk and its loss. */
function describeWeakness({ region, lun }: Replica, { unrepaired }: Finding): string {
  return (
    `The ${lunName(lun)} in region '${region}' can be read, but ${unrepaired} part(s) of one of its copies are bad and could ` +
    'not be put back. Look at the disk or zone that the log names, then verify again.'
  )
}

function describeDamage({ region, lun }: Replica, { hasManifest, lost }: Finding): string {
  const what = hasManifest ? `${lost.length} frame(s), the first at byte ${lost[0]}` : 'the list of its frames'
  return (
    `The ${lunName(lun)} in region '${region}' is damaged: ${what}, cannot be read, and no other region has it whole. ` +
    'What is damaged is never served. Update the version to take it again from its source, or delete the version.'
  )
}
