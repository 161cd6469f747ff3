import type { JsonObject } from '../base/json.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { syncShares } from './share.rows.ts'
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

async function publish(step: StepContext<ShareInput>, deps: Dependencies): Promise<JsonObject> {
  for (const { name: region } of deps.regions.all) {
    step.signal.throwIfAborted()
    await deps.db.transaction().execute(async (tx) => {
      // Read again for each region: a step that was cut off goes on with what is wanted now.
      const gallery = await findResource(tx, step.resourceKey)
      const wanted = gallery ? granteesOf(gallery.properties) : []
      await syncShares(tx, step.resourceKey, region, wanted)
    })
    step.report({ region })
  }
  return step.input.update
}
