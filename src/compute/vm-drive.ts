import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import type { DiskStores } from '../store/disk-store.ts'
import { DiskMissing } from '../store/errors.ts'
import { driveName, writeDrive } from './application-drive.ts'
import { factsMember, type ComputeDependencies } from './dependencies.ts'
import { computeProblems } from './problems.ts'
import { resolveApplications } from './vm-applications.ts'
import { findVmFacts, formatVmFacts, getVmFacts, type VmFacts } from './vm-facts.ts'
import { vmProperties } from './vm-properties.ts'

/**
 * Adds the applications that a machine names to its facts: resolved when they are named, and left alone by updates that
 * do not change the list.
 */
export async function withApplications(
  draft: Draft,
  { before }: Change,
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'resolveApplication' | 'readBlob'>,
): Promise<Draft> {
  const facts = findVmFacts(draft.envelope)
  const properties = vmProperties(draft)
  const asked = JSON.stringify(properties.applicationProfile?.galleryApplications ?? [])
  const had = JSON.stringify((before && vmProperties(before).applicationProfile?.galleryApplications) ?? [])
  if (!facts || asked === had) return draft
  const osType = properties.storageProfile?.osDisk?.osType ?? ''
  const resolved = await resolveApplications(properties, { location: draft.location, osType }, context, deps)
  // A machine that had some keeps its drive: an empty list tells the guest to remove what it has.
  const applications = resolved.length > 0 || facts.applications ? resolved : undefined
  return { ...draft, envelope: { ...draft.envelope, [factsMember]: formatVmFacts({ ...facts, applications }) } }
}

/** Whether an update names other applications: then there is something to deliver. */
export function changesApplications(before: Resource, after: Draft): boolean {
  const nameOf = ({ applications }: VmFacts): string => (applications ? driveName(applications) : '')
  return nameOf(getVmFacts(before)) !== nameOf(getVmFacts({ ...after, id: before.id }))
}

/** Makes the machine's drive unless it is there, and drops those of earlier lists; answers its path. May run twice. */
export async function prepareDrive(facts: VmFacts, home: string, stores: DiskStores): Promise<string | undefined> {
  const { applications } = facts
  if (!applications) return undefined
  const name = driveName(applications)
  const path = join(home, name)
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  try {
    if (!exists) await writeDrive(path, applications, stores)
  } catch (error) {
    if (!(error instanceof DiskMissing)) throw error
    const names = applications.map((one) => `${one.name} ${one.version}`).join(', ')
    throw computeProblems.ApplicationBytesGone({ names }, { cause: error })
  }
  // What a running machine has open stays readable to it.
  for (const other of await readdir(home))
    if (other.startsWith('applications-') && other !== name) await rm(join(home, other), { force: true })
  return path
}
