import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { formatBytes } from '../base/units.ts'
import { parseResource } from '../client/resource-body.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import type { Connection } from './connection.ts'
import { exitCodes } from './context.ts'
import type { CliContext } from './context.ts'
import { definitionPath, definitionsPath, versionPath, versionsPath } from './image-names.ts'
import type { GalleryFlags, ImageFlags, VersionFlags } from './image-names.ts'
import { createProgress } from './progress.ts'
import { connectToGallery } from './locate-gallery.ts'
import type { Unlocated } from './locate-gallery.ts'
import { formatTable } from './table.ts'

interface ListFlags extends GalleryFlags {
  readonly definition?: string | undefined
  readonly json?: boolean | undefined
}

interface OneImageFlags extends ImageFlags {
  readonly version?: string
}

interface VerifyFlags extends VersionFlags {
  readonly json?: boolean
}

/** `goldleaf image list`: the definitions of a gallery, or the versions of a definition. */
export async function listImages(context: CliContext, typed: Unlocated<ListFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<ListFlags>(context, typed)
  const { definition } = flags
  const path =
    definition === undefined ? definitionsPath(connection, flags) : versionsPath(connection, { ...flags, definition })
  const found: JsonObject[] = []
  for await (const item of connection.client.list(path, { signal: context.signal })) found.push(item)
  if (flags.json) context.out.write(`${JSON.stringify(found, undefined, 2)}\n`)
  else context.out.write(definition === undefined ? definitionTable(found) : versionTable(found))
}

function definitionTable(items: readonly JsonObject[]): string {
  const rows = items.map((item) => {
    const { name, location, properties } = parseResource<GalleryImageProperties>(item)
    const { publisher, offer, sku } = properties.identifier
    return [name, properties.osType, properties.osState, `${publisher}:${offer}:${sku}`, location ?? '']
  })
  return formatTable(['definition', 'os', 'state', 'publisher:offer:sku', 'location'], rows)
}

function versionTable(items: readonly JsonObject[]): string {
  const rows = items.map((item) => {
    const { name, properties } = parseResource<GalleryImageVersionProperties>(item)
    const { publishingProfile: profile, storageProfile } = properties
    const regions = (profile?.targetRegions ?? []).map((region) => region.name).join(', ')
    const size = storageProfile?.osDiskImage?.sizeInGB
    return [
      name,
      properties.provisioningState ?? '',
      size === undefined ? '' : `${size} GiB`,
      profile?.excludeFromLatest === true ? 'excluded' : 'candidate',
      profile?.publishedDate ?? '',
      regions,
    ]
  })
  return formatTable(['version', 'state', 'size', 'latest', 'published', 'regions'], rows)
}

/** `goldleaf image show`: a version with its replication, or a definition, as the API shows it. */
export async function showImage(context: CliContext, typed: Unlocated<OneImageFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<OneImageFlags>(context, typed)
  const { client, ...place } = connection
  const { version } = flags
  const body =
    version === undefined
      ? await client.get(definitionPath(place, flags), { signal: context.signal })
      : await client.get(versionPath(place, { ...flags, version }), {
          query: { $expand: 'ReplicationStatus' },
          signal: context.signal,
        })
  context.out.write(`${JSON.stringify(body, undefined, 2)}\n`)
}

/** `goldleaf image delete`: one version, or a definition without versions. Absent already is not an error. */
export async function deleteImage(context: CliContext, typed: Unlocated<OneImageFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<OneImageFlags>(context, typed)
  const { client, ...place } = connection
  const { version } = flags
  const path = version === undefined ? definitionPath(place, flags) : versionPath(place, { ...flags, version })
  await client.delete(path, { signal: context.signal })
  context.err.write(`Deleted ${path.split('/').at(-1)}.\n`)
}

/** The version that is named; `latest` is asked of the server, which throws GalleryImageNotFound where there is none. */
export async function resolveVersion(
  connection: Connection,
  flags: VersionFlags,
  region: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (flags.version.toLowerCase() !== 'latest') return flags.version
  const { client } = connection
  const path = definitionPath(connection, flags)
  const location = region ?? parseResource(await client.get(path, { signal })).location
  const body: JsonObject = location === undefined ? {} : { location }
  const { latestVersionName } = await client.post(`${path}/resolveLatest`, body, { signal })
  if (typeof latestVersionName !== 'string') throw new Error('resolveLatest answered no name')
  return latestVersionName
}

interface VerifiedReplica {
  readonly region: string
  readonly lun: number
  readonly storageClass: string
  readonly framesChecked: number
  readonly bytesChecked: number
  readonly repaired: number
  /** Bad in one copy, and not put back. */
  readonly unrepaired: number
  /** Guest offsets, or for a replica without bytes nothing. */
  readonly lost: readonly Json[]
  /** `Completed` where the replica has its bytes. */
  readonly state: string | undefined
  /** Regions that gave what this one had lost. */
  readonly repairedFrom: readonly string[]
  /** Why it is not whole, and what to do. */
  readonly details: string | undefined
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '')
}

function parseReplica(value: JsonObject): VerifiedReplica {
  const { region, lun, storageClass, framesChecked, bytesChecked, repaired, lost, state, repairedFrom, details } = value
  return {
    region: textOf(region),
    lun: Number(lun),
    storageClass: textOf(storageClass),
    framesChecked: Number(framesChecked ?? 0),
    bytesChecked: Number(bytesChecked ?? 0),
    repaired: Number(repaired ?? 0),
    unrepaired: Number(value['unrepaired'] ?? 0),
    lost: Array.isArray(lost) ? lost : [],
    state: typeof state === 'string' ? state : undefined,
    repairedFrom: Array.isArray(repairedFrom) ? repairedFrom.map(textOf) : [],
    details: typeof details === 'string' ? details : undefined,
  }
}

/**
 * `goldleaf image verify`: the server reads and checks every byte of every replica of a version. Answers exit code 1 if
 * anything is lost, or a replica is not complete: only then is it known that all is well.
 */
export async function verifyImage(context: CliContext, typed: Unlocated<VerifyFlags>): Promise<number> {
  const { connection, flags } = await connectToGallery<VerifyFlags>(context, typed)
  const { client } = connection
  const version = await resolveVersion(connection, flags, undefined, context.signal)
  using progress = createProgress(context.err)
  const path = `${versionPath(connection, { ...flags, version })}/verify`
  const result = await client.post(path, undefined, {
    signal: context.signal,
    onProgress: ({ percentComplete, properties }) => showVerifying(progress, percentComplete, properties),
  })
  progress.stop()
  const listed = result['replicas']
  const replicas = Array.isArray(listed) ? listed.filter(isJsonObject).map(parseReplica) : []
  const isBad = ({ lost, state, unrepaired }: VerifiedReplica): boolean =>
    lost.length > 0 || unrepaired > 0 || (state ?? 'Completed') !== 'Completed'
  if (flags.json) context.out.write(`${JSON.stringify(result, undefined, 2)}\n`)
  else context.out.write(verifyTable(replicas))
  const bad = replicas.filter(isBad)
  if (replicas.length === 0) context.err.write(`Version ${version} has no replica to check.\n`)
  if (bad.length > 0)
    context.err.write(
      `Version ${version} is damaged or incomplete in ${bad.map(({ region }) => region).join(', ')}. Update it to replicate there again, or remove the region from its targets.\n`,
    )
  for (const { details } of bad) if (details !== undefined) context.err.write(`${details}\n`)
  return bad.length === 0 && replicas.length > 0 ? exitCodes.done : exitCodes.failed
}

function showVerifying(
  progress: ReturnType<typeof createProgress>,
  percent: Json | undefined,
  properties: Json | undefined,
): void {
  if (!isJsonObject(properties)) return
  const { region, bytesTotal, bytesDone } = properties
  if (typeof region === 'string' && Number(bytesTotal) > 0)
    progress.update(region, Number(bytesDone) / Number(bytesTotal), formatBytes(Number(bytesDone)))
  else if (typeof percent === 'number') progress.update('verify', percent / 100)
}

function verifyTable(replicas: readonly VerifiedReplica[]): string {
  const rows = replicas.map((replica) => [
    replica.region,
    replica.lun < 0 ? 'os' : String(replica.lun),
    replica.storageClass,
    formatBytes(replica.bytesChecked),
    replica.repairedFrom.length === 0
      ? String(replica.repaired)
      : `${replica.repaired} (from ${replica.repairedFrom.join(', ')})`,
    replica.lost.length === 0 ? '0' : `${replica.lost.length} (first at byte ${textOf(replica.lost[0])})`,
    replica.state ?? '',
  ])
  return formatTable(['region', 'disk', 'class', 'checked', 'repaired', 'lost', 'state'], rows)
}
