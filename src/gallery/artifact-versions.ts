import type { JsonObject } from '../base/json.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import type { Resource } from '../resources/resource.ts'
import type { Workflow } from '../work/workflow.ts'
import { putArtifactFile } from './artifact-file.rows.ts'
import { artifactProblems } from './artifact-problems.ts'
import { keptPlace, type FoundFile, type GalleryDependencies } from './dependencies.ts'
import { changesReplicas, hasFailedReplica, showWithReplication, withPublishedDate } from './image-versions.ts'
import { checkPlacement } from './placement-rules.ts'
import { galleryProblems } from './problems.ts'
import { publishWorkflow } from './publish-version.ts'
import { checkQuota, type LimitedType } from './quota.ts'
import { isShallow, versionProperties } from './version-properties.ts'

/** A file that a version is made of; `file` is the `lun` of its replica rows. */
export interface ArtifactFile {
  readonly file: number
  readonly uri: string
  /** Where the body names it, below `properties`. */
  readonly path: string
  readonly maximumBytes: number
}

/** What versions of files differ in: applications hold a package and a configuration, scripts a script. */
export interface ArtifactKind {
  readonly type: LimitedType
  readonly errorName: string
  readonly workflow: string
  files(properties: JsonObject): readonly ArtifactFile[]
  /** Refuses what the schema cannot. */
  check?(change: Change): void
}

/** Versions of applications and scripts: files, published to regions by the workflow that also publishes images. */
export function artifactVersionsBehaviour(kind: ArtifactKind, deps: GalleryDependencies): Behaviour {
  return {
    type: kind.type,
    prepare: async (change, context) => withPublishedDate(change, context.nowMs),
    async check(change, context) {
      kind.check?.(change)
      checkProfile(change, context.nowMs, kind, deps)
      if (change.kind === 'create' || change.before?.provisioningState === 'Failed')
        await checkFiles(change, context, kind, deps)
    },
    commit: (tx, change) => checkQuota(tx, kind.type, change, deps.limits),
    write: async (change) =>
      changesReplicas(change, deps) || (await hasFailedReplica(change, deps))
        ? { workflow: kind.workflow, input: { versionId: change.id.id } }
        : undefined,
    remove: async (version) => ({ workflow: 'retire-version', input: { versionId: version.id } }),
    show: (version, context) => showWithReplication(version, context, deps),
  }
}

/** Takes the files into the home region's store and replicates them like disks. */
export function publishArtifact(kind: ArtifactKind, deps: GalleryDependencies): Workflow {
  const fileOf = (version: Resource, number: number): ArtifactFile => {
    const file = kind.files(version.properties).find((one) => one.file === number)
    if (!file) throw new Error(`${version.id} has no file ${number}`)
    return file
  }
  return publishWorkflow(deps, {
    workflow: kind.workflow,
    parts: async (version) => kind.files(version.properties).map(({ file }) => file),
    async holdPlace(version, { lun }) {
      const file = fileOf(version, lun)
      const found = await deps.sources.findFile(file.uri, undefined)
      checkFile(file, found, kind)
      await putArtifactFile(deps.db, version.key, lun, found.sizeBytes)
      return keptPlace({ kind: 'file', path: found.path, format: 'raw' })
    },
  })
}

function checkProfile(change: Change, nowMs: number, kind: ArtifactKind, deps: GalleryDependencies): void {
  const profilePath = `${kind.errorName}.properties.publishingProfile`
  const after = versionProperties(change.after)
  const before = change.before && versionProperties(change.before)
  const profile = after.publishingProfile
  if (isShallow(change.after))
    throw artifactProblems.ArtifactNotShallow({}, { target: `${profilePath}.replicationMode` })
  const { endOfLifeDate } = profile ?? {}
  const isNewDate = endOfLifeDate !== undefined && endOfLifeDate !== before?.publishingProfile?.endOfLifeDate
  if (isNewDate && Date.parse(endOfLifeDate) <= nowMs)
    throw galleryProblems.EndOfLifeInPast({}, { target: `${profilePath}.endOfLifeDate` })
  checkPlacement(change, deps.limits.maximumArtifactReplicas, profilePath, deps.regions)
}

/** The files must be there, be this server's, and the caller must have the right to them. */
async function checkFiles(
  change: Change,
  context: RequestContext,
  kind: ArtifactKind,
  deps: GalleryDependencies,
): Promise<void> {
  const known = new Set(change.before ? kind.files(change.before.properties).map(({ uri }) => uri) : [])
  for (const file of kind.files(change.after.properties)) {
    const found = await deps.sources.findFile(file.uri, known.has(file.uri) ? undefined : context.baseUrl)
    await context.authorize(
      'Microsoft.Storage/storageAccounts/listKeys/action',
      `/subscriptions/${found.subscriptionId}`,
    )
    checkFile(file, found, kind)
  }
}

function checkFile(file: ArtifactFile, { sizeBytes }: FoundFile, kind: ArtifactKind): void {
  const target = { target: `${kind.errorName}.properties.${file.path}` }
  // A signed address is a secret: what follows the question mark is not repeated.
  const uri = file.uri.split('?', 1)[0] ?? ''
  if (sizeBytes === 0) throw artifactProblems.ArtifactEmpty({ uri }, target)
  if (sizeBytes > file.maximumBytes)
    throw artifactProblems.ArtifactTooLarge({ uri, sizeBytes, maximumBytes: file.maximumBytes }, target)
}
