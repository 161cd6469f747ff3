import { findArmId } from '../base/arm-id.ts'
import type { JsonObject } from '../base/json.ts'
import type { VirtualMachineProperties } from '../contract/virtual-machines.ts'
import type { ResolvedApplication } from '../gallery/resolve-application.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import type { StorageClass } from '../store/disk-store.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { computeProblems } from './problems.ts'

/** Bytes that a region keeps, and how many of them there are. */
export interface StoredFile {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly sizeBytes: number
}

/** An application as a machine gets it: resolved once, when the machine is told of it. */
export interface VmApplication {
  readonly versionId: string
  readonly name: string
  readonly version: string
  /** Undefined: after all that have one, whatever became of those. */
  readonly order?: number | undefined
  /** An operation that delivers it waits for the guest's report, and fails with it. */
  readonly failsDeployment?: boolean | undefined
  readonly packageName: string
  readonly configurationName: string
  readonly rerun: boolean
  readonly install?: string | undefined
  readonly update?: string | undefined
  readonly remove?: string | undefined
  readonly package: StoredFile
  /** The version's own, or base64 of what `configurationReference` held. */
  readonly configuration?: StoredFile | string | undefined
}

type Asked = NonNullable<NonNullable<VirtualMachineProperties['applicationProfile']>['galleryApplications']>[number]

/** Azure's limit of applications of a machine. */
const most = 25
/** A configuration of a machine's own is kept in its row. */
const maximumConfigurationBytes = 64 * 1024
const member = 'applicationProfile.galleryApplications'
const target = { target: member }

/**
 * The applications that a machine names, in the order in which they are to be installed; resolved anew with every change
 * of the list. Throws Azure's texts and ours.
 */
export async function resolveApplications(
  properties: VirtualMachineProperties,
  facts: { readonly location: string; readonly osType: string },
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'resolveApplication' | 'readBlob'>,
): Promise<readonly VmApplication[]> {
  const asked = properties.applicationProfile?.galleryApplications ?? []
  if (asked.length > most) throw computeProblems.VmApplicationsTooMany({ most, count: asked.length }, target)
  if (new Set(asked.map((one) => one.packageReferenceId.toLowerCase())).size < asked.length)
    throw computeProblems.VmApplicationTwice({}, target)
  const resolved: VmApplication[] = []
  for (const one of asked) resolved.push(await resolveOne(one, facts, context, deps))
  const parents = resolved.map(({ versionId }) => versionId.toLowerCase().split('/').slice(0, -2).join('/'))
  const twice = resolved.find((_, index) => parents.indexOf(parents[index] ?? '') !== index)
  if (twice !== undefined)
    throw computeProblems.InvalidParameterValue(
      { parameter: member, reason: `The application '${twice.name}' is named twice.` },
      target,
    )
  return resolved.toSorted((a, b) => (a.order ?? Infinity) - (b.order ?? Infinity) || 0)
}

async function resolveOne(
  asked: Asked,
  { location, osType }: { readonly location: string; readonly osType: string },
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'resolveApplication' | 'readBlob'>,
): Promise<VmApplication> {
  refuseBlindWishes(asked, osType)
  const found = await deps.resolveApplication(asked.packageReferenceId, location, context)
  const name = findArmId(found.versionId)?.names.at(-2) ?? ''
  if (found.supportedOSType !== osType)
    throw computeProblems.VmApplicationOsDiffers({ name, supported: found.supportedOSType, osType }, target)
  const own = asked.configurationReference
  const configuration =
    own === undefined
      ? found.configuration
      : Buffer.from(await deps.readBlob(own, maximumConfigurationBytes, context)).toString('base64')
  return {
    ...asVmApplication(found, configuration),
    ...(asked.order === undefined ? {} : { order: asked.order }),
    ...(asked.treatFailureAsDeploymentFailure === true ? { failsDeployment: true } : {}),
  }
}

/** A version as a machine keeps it; `configuration`: the version's own, or base64 of the machine's. */
export function asVmApplication(
  found: ResolvedApplication,
  configuration: StoredFile | string | undefined,
): VmApplication {
  const { versionId, packageName, configurationName, rerun, install, update, remove } = found
  const id = findArmId(versionId)
  return {
    versionId,
    name: id?.names.at(-2) ?? '',
    version: id?.name ?? '',
    packageName,
    configurationName,
    rerun,
    install,
    update,
    remove,
    package: found.package,
    configuration,
  }
}

/** What would be promised and not kept. */
function refuseBlindWishes(asked: Asked, osType: string): void {
  const refuse = (wish: string, why: string): Error =>
    computeProblems.VmUnsupported(
      { what: `${wish} of a gallery application (${why})`, instead: 'Set it to false or leave it out.' },
      target,
    )
  if (asked.enableAutomaticUpgrade === true && !/\/versions\/latest$/i.test(asked.packageReferenceId))
    throw computeProblems.InvalidParameterValue(
      {
        parameter: `${member}.enableAutomaticUpgrade`,
        reason: `A reference to one version is not upgraded. End packageReferenceId with '/versions/latest'.`,
      },
      target,
    )
  if (asked.treatFailureAsDeploymentFailure === true && osType === 'Windows')
    throw refuse('treatFailureAsDeploymentFailure', 'nothing in a Windows guest installs and reports')
}

/** As JSON: what is not there is left out. */
export function formatApplication(application: VmApplication): JsonObject {
  const { install, update, remove, order, failsDeployment, configuration, ...rest } = application
  const given = Object.entries({ install, update, remove, order, failsDeployment }).filter(
    ([, value]) => value !== undefined,
  )
  const own = typeof configuration === 'object' ? { ...configuration } : configuration
  return {
    ...rest,
    package: { ...rest.package },
    ...Object.fromEntries(given),
    ...(own === undefined ? {} : { configuration: own }),
  }
}

/** Stored bytes that a machine needs to make its drive again. */
export function rootsOf(applications: readonly VmApplication[]): readonly StoredFile[] {
  return applications.flatMap(({ package: own, configuration }) => [
    own,
    ...(configuration === undefined || typeof configuration === 'string' ? [] : [configuration]),
  ])
}
