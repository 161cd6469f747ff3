import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import { parentKey } from '../base/arm-id.ts'
import type { JsonObject } from '../base/json.ts'
import { storagePlaces, type RegionDirectory } from '../base/region.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'
import type { ActionCall, ActionResult, Behaviour, Change } from '../resources/behaviour.ts'
import type { Resource } from '../resources/resource.ts'
import { listChildren, pageChildren } from '../resources/resource.rows.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { checkFeatures } from './feature-rules.ts'
import { checkQuota } from './quota.ts'
import { resolveLatest } from './latest.ts'
import type { Candidate, Latest, WhyNot } from './latest.ts'
import { galleryProblems } from './problems.ts'
import { emptyWith } from './recycle-bin.ts'
import { listReplicasOf } from './replica.rows.ts'
import { checkFitsGallery, contentOfImage } from './shared-content.ts'
import { toCandidate } from './version-properties.ts'

interface ImageDependencies {
  readonly db: DbOrTx
  readonly regions: RegionDirectory
}

/** What image definitions mean: one publisher/offer/sku each in a gallery, dates ahead, `latest` explained. */
export function imagesBehaviour(
  deps: ImageDependencies & Pick<GalleryDependencies, 'limits' | 'requestSweep'>,
): Behaviour {
  return {
    type: 'Microsoft.Compute/galleries/images',
    async check(change, context) {
      const endOfLife = (change.after.properties as GalleryImageProperties).endOfLifeDate
      const before = change.before?.properties as GalleryImageProperties | undefined
      if (endOfLife !== undefined && endOfLife !== before?.endOfLifeDate && Date.parse(endOfLife) <= context.nowMs)
        throw galleryProblems.EndOfLifeInPast({}, { target: 'galleryImage.properties.endOfLifeDate' })
      checkFeatures(change.after.properties as GalleryImageProperties)
      await checkFitsGallery(deps.db, parentKey(change.id), contentOfImage(change.id.name, change.after))
    },
    async commit(tx, change) {
      await checkQuota(tx, 'Microsoft.Compute/galleries/images', change, deps.limits)
      if (change.kind === 'create') await checkIdentifierIsFree(tx, change)
    },
    commitRemove: (tx, definition) => emptyWith(tx, definition, deps),
    async show(image, context) {
      const words = (context.query['$expand'] ?? '').split(',').map((word) => word.trim().toLowerCase())
      return words.includes('latest')
        ? { ...image.properties, latest: await explainEverywhere(image.key, deps) }
        : image.properties
    },
    actions: { resolveLatest: (call) => explainLatest(call, deps) },
  }
}

async function checkIdentifierIsFree(tx: Tx, change: Change): Promise<void> {
  const wanted = (change.after.properties as GalleryImageProperties).identifier
  for (const image of await listChildren(tx, parentKey(change.id), 'Microsoft.Compute/galleries/images')) {
    const taken = (image.properties as GalleryImageProperties).identifier
    if (image.key !== change.id.key && tripleOf(taken) === tripleOf(wanted))
      throw galleryProblems.ImageIdentifierTaken(
        { name: image.name, ...wanted },
        { target: 'galleryImage.properties.identifier' },
      )
  }
}

/** Compared without regard to case (behaviour.md B1). */
function tripleOf(identifier: GalleryImageProperties['identifier']): string {
  return `${identifier.publisher}\n${identifier.offer}\n${identifier.sku}`.toLowerCase()
}

/** The latest is among the highest, unless many of those are excluded: then more are read at a time. */
const firstLook = 10
const furtherLook = 500
const imageVersionType = 'Microsoft.Compute/galleries/images/versions'

/** Reads from the highest version downwards and applies the rule of `latest`, until one is found. */
export async function findLatest(
  definitionKey: string,
  region: string,
  { db, regions }: ImageDependencies,
  type = imageVersionType,
): Promise<Latest> {
  const passedOver = new Map<string, WhyNot>()
  let afterName: string | undefined
  for (let limit = firstLook; ; limit = furtherLook) {
    const page = { parentKey: definitionKey, type, afterName, descending: true, limit }
    const versions = await pageChildren(db, page)
    const found = resolveLatest(await toCandidates(versions, { db, regions }), region)
    for (const [name, why] of found.passedOver) passedOver.set(name, why)
    if (found.name !== undefined || versions.length < limit) return { name: found.name, passedOver }
    afterName = versions.at(-1)?.name
  }
}

async function toCandidates(versions: readonly Resource[], deps: ImageDependencies): Promise<readonly Candidate[]> {
  const replicas = await listReplicasOf(
    deps.db,
    versions.map((version) => version.key),
  )
  return versions.map((version) => toCandidate(version, replicas, deps.regions))
}

/** Our extension `$expand=Latest`: what `latest` is in each region and edge zone that some version names, and why not the others. */
async function explainEverywhere(definitionKey: string, deps: ImageDependencies): Promise<readonly JsonObject[]> {
  const all = await toCandidates(await listChildren(deps.db, definitionKey, imageVersionType), deps)
  const named = new Set(all.flatMap((version) => version.regions.map((region) => region.name)))
  return storagePlaces(deps.regions.all)
    .filter((place) => named.has(place.name))
    .map((place) => {
      const { name, passedOver } = resolveLatest(all, place.name)
      const latest = name === undefined ? {} : { latestVersionName: name }
      return { location: place.name, ...latest, passedOver: showPassedOver(passedOver) }
    })
}

function showPassedOver(passedOver: Latest['passedOver']): readonly JsonObject[] {
  return [...passedOver].map(([name, reason]) => ({ name, reason }))
}

/** Our extension: which version `latest` is in a region, and why each other was passed over. */
async function explainLatest(call: ActionCall, deps: ImageDependencies): Promise<ActionResult> {
  const asked = call.body['location']
  const location = typeof asked === 'string' ? asked : call.resource.location
  const region = deps.regions.find(location)
  if (!region)
    throw galleryProblems.UnknownRegion({ region: location, known: deps.regions.all.map((r) => r.name).join(', ') })
  const latest = await findLatest(call.resource.key, region.name, deps)
  if (latest.name === undefined)
    throw galleryProblems.GalleryImageNotFound({ id: call.resource.id, region: region.name })
  return {
    kind: 'done',
    body: {
      location: region.name,
      latestVersionName: latest.name,
      id: `${call.resource.id}/versions/${latest.name}`,
      passedOver: showPassedOver(latest.passedOver),
    },
  }
}
