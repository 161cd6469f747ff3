import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { normalizeRegionName } from '../base/region.ts'
import { formatBytes } from '../base/units.ts'
import type { DiskFormat } from '../blocks/disk-image.ts'
import { subscriptionPath } from '../client/arm-path.ts'
import { parseResource } from '../client/resource-body.ts'
import { galleries } from '../contract/galleries.ts'
import { galleryImages } from '../contract/gallery-images.ts'
import { galleryImageVersions } from '../contract/gallery-image-versions.ts'
import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import { storageClasses } from '../store/disk-store.ts'
import type { StorageClass, TransferProgress } from '../store/disk-store.ts'
import type { Connection } from './connection.ts'
import type { CliContext } from './context.ts'
import { ensureDefinition } from './ensure.ts'
import type { DefinitionFacts } from './ensure.ts'
import { definitionPath, versionPath } from './image-names.ts'
import type { VersionFlags } from './image-names.ts'
import { connectToGallery } from './locate-gallery.ts'
import type { Unlocated } from './locate-gallery.ts'
import { cliProblems } from './problems.ts'
import { createProgress } from './progress.ts'
import type { Progress } from './progress.ts'

export interface PushFlags extends VersionFlags, Partial<Omit<DefinitionFacts, 'location'>> {
  readonly regions: string
  readonly location?: string | undefined
  readonly storageClass: StorageClass
  readonly replicaCount: number
  readonly format?: DiskFormat | undefined
  readonly excludeFromLatest?: boolean | undefined
  readonly endOfLife?: string | undefined
  readonly create?: boolean | undefined
}

export interface TargetRegion {
  readonly name: string
  readonly regionalReplicaCount?: number
  readonly storageAccountType?: StorageClass
}

/** `--storage-class` in any case. */
export function parseStorageClass(text: string): StorageClass {
  const found = storageClasses.find((one) => one.toLowerCase() === text.toLowerCase())
  if (found === undefined)
    throw cliProblems.UsageWrong({ message: `'${text}' is no storage class. Choose ${storageClasses.join(', ')}.` })
  return found
}

/** `westeurope,northeurope=2,eastus=1=premium_lrs`, as az writes target regions. */
export function parseRegions(text: string): readonly TargetRegion[] {
  const regions = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): TargetRegion => {
      const [name = '', second, third, ...rest] = part.split('=').map((piece) => piece.trim())
      const count = second !== undefined && /^\d+$/.test(second) ? Number(second) : undefined
      const storage = count === undefined ? second : third
      if (name === '' || rest.length > 0 || (count === undefined && third !== undefined))
        throw cliProblems.UsageWrong({
          message: `--regions has '${part}'. Write REGION, REGION=COUNT or REGION=COUNT=CLASS.`,
        })
      return {
        name,
        ...(count === undefined ? {} : { regionalReplicaCount: count }),
        ...(storage === undefined ? {} : { storageAccountType: parseStorageClass(storage) }),
      }
    })
  if (regions.length === 0) throw cliProblems.UsageWrong({ message: '--regions names no region.' })
  return regions
}

/** The PUT of a version whose bytes were pushed to `sourceUri`. */
export function versionBody(
  flags: PushFlags,
  location: string,
  targetRegions: readonly TargetRegion[],
  sourceUri: string,
): JsonObject {
  return {
    location,
    properties: {
      storageProfile: { osDiskImage: { source: { uri: sourceUri } } },
      publishingProfile: {
        targetRegions: targetRegions.map((region) => ({ ...region })),
        replicaCount: flags.replicaCount,
        storageAccountType: flags.storageClass,
        ...(flags.excludeFromLatest ? { excludeFromLatest: true } : {}),
        ...(flags.endOfLife === undefined ? {} : { endOfLifeDate: flags.endOfLife }),
      },
    },
  }
}

/**
 * `goldleaf image push FILE`: sends what the source region lacks, publishes the version, and shows replication until it
 * has ended. Started again after an interruption it sends only the rest.
 */
export async function pushVersion(context: CliContext, file: string, typed: Unlocated<PushFlags>): Promise<void> {
  const regions = parseRegions(typed.regions)
  const location = typed.location ?? regions[0]?.name ?? ''
  const { signal } = context
  checkNames(typed)
  await checkReadable(context, file)
  const { connection, flags } = await connectToGallery<PushFlags>(context, typed)
  const { client } = connection
  await checkRegions(connection, [location, ...regions.map(({ name }) => name)], signal)
  if (flags.create) await createMissing(context, connection, flags, location)
  else await client.get(definitionPath(connection, flags), { signal })
  const path = versionPath(connection, flags)
  if ((await client.find(path, { signal })) !== undefined) throw cliProblems.VersionExists({ version: flags.version })
  // Disk formats, hashing and compression are loaded by the commands that move bytes, not by every command.
  const { pushImage } = await import('./push-image.ts')
  using progress = createProgress(context.err)
  const source = regions.find(({ name }) => normalizeRegionName(name) === normalizeRegionName(location))
  const pushed = await pushImage({
    file: resolve(context.cwd, file),
    format: flags.format,
    endpoint: connection.endpoint,
    token: () => connection.token(),
    transport: connection.http,
    subscriptionId: connection.subscriptionId,
    region: location,
    storageClass: source?.storageAccountType ?? flags.storageClass,
    onProgress: (now) => progress.update('upload', fractionOf(now), `${formatBytes(now.bytesSent)} sent`),
    signal,
    clock: context.clock,
  })
  progress.update('upload', 1, `${formatBytes(pushed.progress.bytesSent)} sent`)
  const body = versionBody(flags, location, regions, pushed.sourceUri)
  const made = await publish(context, connection, path, body, progress)
  progress.stop()
  const { bytesRead, bytesNew, bytesSent } = pushed.progress
  context.err.write(
    `Published ${flags.version}: ${formatBytes(bytesRead)} read, ${formatBytes(bytesNew)} new, ${formatBytes(bytesSent)} sent.\n`,
  )
  context.out.write(`${parseResource(made).id}\n`)
}

/*
 * Checks before the bytes, not after: an upload of hours should not end in a refusal that was plain from the start.
 */
function checkNames(flags: Unlocated<PushFlags>): void {
  const refusal =
    galleries.name.check(flags.gallery) ??
    galleryImages.name.check(flags.definition) ??
    galleryImageVersions.name.check(flags.version)
  if (refusal !== undefined) throw refusal
}

async function checkReadable(context: CliContext, file: string): Promise<void> {
  try {
    await access(resolve(context.cwd, file), constants.R_OK)
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw cliProblems.FileUnreadable({ file, reason }, { cause })
  }
}

async function checkRegions(
  { client, subscriptionId }: Connection,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const known: string[] = []
  const spellings = new Set<string>()
  for await (const { name, displayName } of client.list(`${subscriptionPath(subscriptionId)}/locations`, { signal })) {
    if (typeof name !== 'string') continue
    known.push(name)
    spellings.add(normalizeRegionName(name))
    if (typeof displayName === 'string') spellings.add(normalizeRegionName(displayName))
  }
  const region = wanted.find((name) => !spellings.has(normalizeRegionName(name)))
  if (region !== undefined) throw cliProblems.RegionUnknown({ region, known })
  const [location = '', ...targets] = wanted.map(normalizeRegionName)
  // By name only: a short and a display name that differ are left to the server.
  if (!targets.includes(location) && targets.every((name) => known.includes(name)) && known.includes(location))
    throw cliProblems.UsageWrong({
      message: `--location is '${location}', which is not among --regions. Add it there.`,
    })
}

function fractionOf({ bytesDone, bytesTotal }: TransferProgress): number {
  return bytesTotal === 0 ? 1 : bytesDone / bytesTotal
}

async function createMissing(
  context: CliContext,
  connection: Connection,
  flags: PushFlags,
  location: string,
): Promise<void> {
  const facts = {
    location,
    publisher: flags.publisher ?? 'goldleaf',
    offer: flags.offer ?? flags.gallery,
    sku: flags.sku ?? flags.definition,
    osType: flags.osType ?? 'Linux',
    osState: flags.osState ?? 'Generalized',
    hyperVGeneration: flags.hyperVGeneration ?? 'V1',
  }
  for (const name of await ensureDefinition(connection, flags, facts, context.signal))
    context.err.write(`Created ${name}.\n`)
}

/** PUTs the version; while the operation runs, each poll also reads the replication of every region. */
async function publish(
  context: CliContext,
  { client }: Connection,
  path: string,
  body: JsonObject,
  progress: Progress,
): Promise<JsonObject> {
  const { signal } = context
  const look = async (): Promise<void> => {
    const seen = await client.get(path, { query: { $expand: 'ReplicationStatus' }, signal })
    showReplication(seen, progress)
  }
  let looking: Promise<void> | undefined
  const made = await client.put(path, body, {
    signal,
    onProgress: () => {
      // What only shows progress may fail: the operation itself says how it ends.
      looking ??= look()
        .catch(() => undefined)
        .finally(() => {
          looking = undefined
        })
    },
  })
  await looking
  await look()
  return made
}

function showReplication(body: JsonObject, progress: Progress): void {
  const { replicationStatus } = parseResource<GalleryImageVersionProperties>(body).properties
  for (const line of replicationStatus?.summary ?? []) {
    if (!isJsonObject(line) || typeof line.region !== 'string') continue
    const { region, state, progress: percent, details } = line
    progress.update(region, (percent ?? 0) / 100, [state, details].filter(Boolean).join(': '))
  }
}
