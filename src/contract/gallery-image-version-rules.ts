import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import type { CompleteFacts, DraftShape } from './resource-type.ts'
import { asArray, asObject } from './walk.ts'

/** The first api-version with sources in a storage profile, and the last with `publishingProfile.source` instead. */
export const storageProfileSince = '2019-07-01'
export const lastWithManagedImage = '2019-03-01'
/** The api-version from which Standard_ZRS is preferred where a region has it (contract.md section 6). */
const preferZrsSince = '2025-03-03'
/** The first api-version with a member of its own for the storage account of a VHD. */
const storageAccountIdSince = '2022-03-03'
/** The first api-version with VHDs at all. */
const uriSince = '2020-09-30'
const storageAccountPattern = /^\/subscriptions\/.+\/providers\/microsoft\.storage\/storageaccounts\/[^/]+$/i

const objectAt = (parent: JsonObject, name: string): JsonObject => {
  const value = parent[name]
  return isJsonObject(value) ? value : {}
}

/**
 * The storage class of a region's replicas where the request names none, neither for the region nor for all.
 * `strategy` is what the request says; without one, the api-version decides.
 */
function defaultStorageClass(
  region: Pick<Region, 'zones'>,
  apiVersion: string,
  strategy: string | undefined,
): 'Standard_LRS' | 'Standard_ZRS' {
  const chosen = strategy ?? (apiVersion >= preferZrsSince ? 'PreferStandard_ZRS' : 'DefaultStandard_LRS')
  return chosen === 'PreferStandard_ZRS' && region.zones.length >= 3 ? 'Standard_ZRS' : 'Standard_LRS'
}

function withStorageSource(properties: JsonObject): JsonObject {
  const { source, ...publishingProfile } = objectAt(properties, 'publishingProfile')
  if (!isJsonObject(source)) return properties
  const { id } = objectAt(source, 'managedImage')
  const storageProfile = objectAt(properties, 'storageProfile')
  return {
    ...properties,
    publishingProfile,
    ...(id === undefined ? {} : { storageProfile: { ...storageProfile, source: { id } } }),
  }
}

/** A version made of single disks has no place for its source in the first api-versions: it is shown without. */
function withManagedImage(properties: JsonObject): JsonObject {
  const { id } = objectAt(objectAt(properties, 'storageProfile'), 'source')
  if (id === undefined) return properties
  const publishingProfile = { ...objectAt(properties, 'publishingProfile'), source: { managedImage: { id } } }
  return { ...properties, publishingProfile }
}

/** A source that is changed with an old api-version is named where that one has it (behaviour.md A1). */
export function versionErrorPath(path: readonly string[], apiVersion = storageProfileSince): string {
  const isOldSource = apiVersion < storageProfileSince && path.join('.').startsWith('properties.storageProfile.source')
  const named = isOldSource ? ['properties', 'publishingProfile', 'source', 'managedImage', 'id'] : path
  return ['galleryImageVersion', ...named].join('.')
}

/** Rewrites the source of the OS disk and of every data disk; undefined takes it away. */
function mapDiskSources(
  properties: JsonObject,
  rewrite: (source: JsonObject | undefined, isOsDisk: boolean) => JsonObject | undefined,
): JsonObject {
  const { storageProfile } = properties
  if (!isJsonObject(storageProfile)) return properties
  const mapDisk = (disk: Json, isOsDisk: boolean): Json => {
    if (!isJsonObject(disk)) return disk
    const { source, ...rest } = disk
    const next = rewrite(isJsonObject(source) ? source : undefined, isOsDisk)
    // PATCH: null takes the member away.
    if (source === null) return disk
    return next === undefined ? rest : { ...rest, source: next }
  }
  const { osDiskImage, dataDiskImages } = storageProfile
  return {
    ...properties,
    storageProfile: {
      ...storageProfile,
      ...(osDiskImage === undefined ? {} : { osDiskImage: mapDisk(osDiskImage, true) }),
      ...(Array.isArray(dataDiskImages)
        ? { dataDiskImages: dataDiskImages.map((disk: Json) => mapDisk(disk, false)) }
        : {}),
    },
  }
}

/**
 * Up to 2019-03-01 the source is `publishingProfile.source.managedImage.id`. Up to 2022-01-03 a VHD's storage account
 * stands in `source.id`, and some clients went on with that.
 */
export function upgradeVersion(_apiVersion: string, properties: JsonObject): JsonObject {
  return mapDiskSources(withStorageSource(properties), (source = {}) => {
    const { id, ...rest } = source
    // What a version made of a whole image shows: it says nothing.
    if (Object.keys(source).length === 0) return undefined
    const isAccount = typeof id === 'string' && storageAccountPattern.test(id)
    return isAccount && source['storageAccountId'] === undefined ? { ...rest, storageAccountId: id } : source
  })
}

export function downgradeVersion(apiVersion: string, properties: JsonObject): JsonObject {
  if (apiVersion < storageProfileSince) return withManagedImage(properties)
  if (apiVersion < uriSince) return properties
  // Of a whole image the OS disk has an empty source, its data disks have none (recorded: azure-cli,
  // test_image_version_create_for_diff_source).
  if (apiVersion >= storageAccountIdSince)
    return mapDiskSources(properties, (source, isOsDisk) => source ?? (isOsDisk ? {} : undefined))
  return mapDiskSources(properties, (source) => {
    const { storageAccountId, ...rest } = source ?? {}
    return storageAccountId === undefined || source?.['id'] !== undefined ? source : { ...rest, id: storageAccountId }
  })
}

/** Replicas beside those of a region: "direct drive" ones, of a class that nothing else has (behaviour.md B8). */
const directDrive: JsonObject = { storageAccountType: 'PremiumV2_LRS', regionalReplicaCount: 1 }

const withDefaults = (value: Json, defaults: JsonObject): Json =>
  isJsonObject(value) ? { ...defaults, ...value } : value

/**
 * Completes a version as Azure does: without target regions it is published where it lives (behaviour.md B6); each
 * region gets a count and a storage class of its own (B7, B8).
 */
export function completeVersion(draft: DraftShape, facts: CompleteFacts): DraftShape {
  const profile = objectAt(draft.properties, 'publishingProfile')
  const home = facts.regions?.find(draft.location)
  const was = objectAt(facts.before?.properties ?? {}, 'publishingProfile')
  const given = asArray(profile['targetRegions'])
  const had = new Map(asArray(was['targetRegions']).map((entry) => [asObject(entry)['name'], asObject(entry)]))
  const wanted =
    given.length > 0 || home === undefined ? given : [had.get(home.displayName) ?? { name: home.displayName }]
  const strategy = typeof profile['storageAccountStrategy'] === 'string' ? profile['storageAccountStrategy'] : undefined
  const isStrategic = strategy !== undefined || facts.apiVersion >= preferZrsSince
  // Of an update that says nothing of it: what a client was shown and sends back must change nothing.
  const keptType = strategy === undefined ? was['storageAccountType'] : undefined
  const globalType = profile['storageAccountType'] ?? (isStrategic ? undefined : (keptType ?? 'Standard_LRS'))
  const shownType = profile['storageAccountType'] ?? (facts.before === undefined ? globalType : keptType)
  // A region that has a class keeps it, unless the request names another one for all.
  const saidType =
    profile['storageAccountType'] === was['storageAccountType'] ? undefined : profile['storageAccountType']
  const targetRegions = wanted.map((entry: Json) => {
    if (!isJsonObject(entry)) return entry
    const region = typeof entry['name'] === 'string' ? facts.regions?.find(entry['name']) : undefined
    const storageAccountType =
      entry['storageAccountType'] ??
      saidType ??
      had.get(entry['name'])?.['storageAccountType'] ??
      globalType ??
      (region === undefined ? undefined : defaultStorageClass(region, facts.apiVersion, strategy))
    return {
      ...entry,
      regionalReplicaCount: entry['regionalReplicaCount'] ?? profile['replicaCount'] ?? 1,
      ...(storageAccountType === undefined ? {} : { storageAccountType }),
      ...(Array.isArray(entry['additionalReplicaSets'])
        ? { additionalReplicaSets: entry['additionalReplicaSets'].map((set: Json) => withDefaults(set, directDrive)) }
        : {}),
    }
  })
  const edges = asArray(profile['targetExtendedLocations'])
  const edgeDefaults = {
    extendedLocationReplicaCount: profile['replicaCount'] ?? 1,
    storageAccountType: 'Standard_LRS',
  }
  return {
    ...draft,
    properties: {
      ...draft.properties,
      publishingProfile: {
        ...profile,
        ...(targetRegions.length === 0 ? {} : { targetRegions }),
        ...(edges.length === 0
          ? {}
          : { targetExtendedLocations: edges.map((edge: Json) => withDefaults(edge, edgeDefaults)) }),
        ...(shownType === undefined ? {} : { storageAccountType: shownType }),
      },
    },
  }
}
