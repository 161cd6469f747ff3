import type { Json, JsonObject } from '../base/json.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { listReplicas } from './replica.rows.ts'

/** Reads and checks every byte of every replica of a version; the result says what was found, region by region. */
export function verifyVersion(deps: GalleryDependencies): Workflow {
  return { name: 'verify-version', steps: [{ name: 'verify', run: (step) => verify(step, deps) }] }
}

async function verify(step: StepContext<JsonObject>, deps: GalleryDependencies): Promise<Json> {
  const replicas = await listReplicas(deps.db, step.resourceKey)
  const checked: JsonObject[] = []
  for (const replica of replicas) {
    const facts = { region: replica.region, lun: replica.lun, storageClass: replica.storageClass, state: replica.state }
    if (replica.root === undefined) {
      checked.push({ ...facts, framesChecked: 0, bytesChecked: 0, repaired: 0, lost: [] })
      continue
    }
    const store = deps.stores.store(replica.region, replica.storageClass)
    const result = await store.verify(replica.root, {
      signal: step.signal,
      onProgress: (progress) => step.report({ region: replica.region, lun: replica.lun, ...progress }),
    })
    checked.push({ ...facts, ...result, root: replica.root })
  }
  return { replicas: checked }
}
