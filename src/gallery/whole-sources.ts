import { findArmId } from '../base/arm-id.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { GalleryDependencies, WholeSource } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { versionProperties } from './version-properties.ts'
import { wholeSourcePath } from './version-sources.ts'

/**
 * A managed image or virtual machine that a client names as the source of a version: it must be there, in the version's
 * region, and the client must have the right to it (behaviour.md C: read on an image, write on a machine).
 */
export async function admitWholeSource(
  id: string,
  change: Change,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<WholeSource> {
  const isMachine = findArmId(id)?.type.toLowerCase() === 'microsoft.compute/virtualmachines'
  const action = isMachine ? 'Microsoft.Compute/virtualMachines/write' : 'Microsoft.Compute/images/read'
  await context.authorize(action, id)
  const found = await deps.sources.findWhole(id)
  const target = wholeSourcePath(versionProperties(change.after).storageProfile ?? {}, context.apiVersion)
  if (!found || found.location !== (deps.regions.find(change.after.location)?.name ?? change.after.location))
    throw galleryProblems.SourceNotFound({ id }, { target })
  return found
}

/** Azure compares state and plan as well where the source is a whole machine or its image (behaviour.md A2, D). */
export function checkWholeFits(
  id: string,
  source: Pick<WholeSource, 'osState' | 'plan'>,
  definition: GalleryImageProperties | undefined,
): void {
  const osState = definition?.osState
  if (osState !== undefined && osState !== source.osState)
    throw galleryProblems.SourceStateDiffers({ id, wanted: osState, source: source.osState })
  const plan = definition?.purchasePlan
  if (source.plan !== undefined && planKey(source.plan) !== planKey(plan))
    throw galleryProblems.SourcePlanDiffers({ id, source: planText(source.plan), wanted: planText(plan) })
}

interface Plan {
  readonly name?: string | undefined
  readonly publisher?: string | undefined
  readonly product?: string | undefined
}

const planKey = (plan: Plan | undefined): string =>
  JSON.stringify([plan?.name, plan?.publisher, plan?.product]).toLowerCase()

const planText = (plan: Plan | undefined): string =>
  plan === undefined
    ? 'null'
    : JSON.stringify({ name: plan.name, publisher: plan.publisher, product: plan.product, promotionCode: null })
