import type { JsonObject } from '../base/json.ts'
import { findResource, listResourcesOfType } from '../resources/resource.rows.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { listShares, syncShares } from './share.rows.ts'
import { granteesOf } from './sharing-rules.ts'

interface ShareInput extends JsonObject {
  /** The body of the request: also the final answer, which `@azure/arm-compute` 25 cannot do without. */
  readonly update: JsonObject
}

type Dependencies = Pick<GalleryDependencies, 'db' | 'regions'>

/**
 * Publishes a gallery's sharing region by region: what others see there are these rows. The gallery's own row says what
 * is wanted since the request was taken, so a withdrawal holds from that moment; a grant holds where it is published.
 */
export function shareGallery(deps: Dependencies): Workflow<ShareInput> {
  return {
    name: 'share-gallery',
    steps: [{ name: 'publish', run: (step) => publish(step, deps) }],
  }
}

/** A region that came into the configuration after a gallery was shared gets its publication too. */
export async function publishInNewRegions(deps: Dependencies, signal: AbortSignal): Promise<void> {
  for (const gallery of await listResourcesOfType(deps.db, 'Microsoft.Compute/galleries')) {
    const wanted = granteesOf(gallery.properties)
    if (wanted.length === 0 || gallery.operationId !== undefined) continue
    const known = new Set((await listShares(deps.db, gallery.key)).map(({ region }) => region))
    for (const { name: region } of deps.regions.all) {
      signal.throwIfAborted()
      if (!known.has(region)) await publishIn(gallery.key, region, deps)
    }
  }
}

async function publishIn(galleryKey: string, region: string, deps: Dependencies): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    // Read again for each region: a step that was cut off goes on with what is wanted now.
    const gallery = await findResource(tx, galleryKey)
    await syncShares(tx, galleryKey, region, gallery ? granteesOf(gallery.properties) : [])
  })
}

async function publish(step: StepContext<ShareInput>, deps: Dependencies): Promise<JsonObject> {
  for (const { name: region } of deps.regions.all) {
    step.signal.throwIfAborted()
    await publishIn(step.resourceKey, region, deps)
    step.report({ region })
  }
  return step.input.update
}
