import { admitEncryptionSet, holdEncryptionSets } from '../gallery/encryption-rules.ts'
import type { DiskProperties } from '../contract/disks.ts'
import type { Tx } from '../db/tables.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { diskProperties, findDiskFacts } from './disk-facts.ts'
import { computeProblems } from './problems.ts'

/**
 * Disks and snapshots that name a disk encryption set: their bytes rest in the set's vault, whatever they were made of.
 * What a machine's guest writes over them does not (docs/adr/0006).
 */

type Encryption = NonNullable<DiskProperties['encryption']>

const platformKey = 'EncryptionAtRestWithPlatformKey'
const customerKey = 'EncryptionAtRestWithCustomerKey'

/** The set that a disk names; undefined: none. */
export function encryptionSetOf(disk: Pick<Draft, 'properties'>): string | undefined {
  const id = diskProperties(disk).encryption?.diskEncryptionSetId
  return id === '' ? undefined : id
}

export interface DiskEncryption {
  readonly encryption?: Encryption
  readonly vault?: string
}

/**
 * What a disk is to be encrypted with, for a draft: what it names, else what its source was encrypted with. Refuses what
 * would have no effect; a disk that is encrypted never returns to the platform's keys (documentation of Azure).
 */
export async function planEncryption(
  { before, after, id }: Pick<Change, 'before' | 'after' | 'id'>,
  source: Resource | undefined,
  context: Pick<RequestContext, 'authorize'>,
  deps: Pick<ComputeDependencies, 'db'>,
): Promise<DiskEncryption> {
  const parameter = 'disk.encryption.diskEncryptionSetId'
  checkWords(diskProperties(after))
  const given = encryptionSetOf(after)
  const had = before && encryptionSetOf(before)
  if (had !== undefined && given === undefined)
    throw computeProblems.EncryptionNotKept({
      what: `Taking the disk encryption set from the disk '${id.name}'`,
      instead: 'Name another set, or copy the disk.',
    })
  if (had !== undefined && given?.toLowerCase() === had.toLowerCase()) return plannedWith(given, vaultOfDisk(before))
  const setId = given ?? (source && encryptionSetOf(source))
  if (setId === undefined) return {}
  const isInherited = given === undefined
  const place = { subscriptionId: id.subscriptionId, region: after.location, user: 'disk' }
  const reader = isInherited ? { authorize: async () => {} } : context
  const { vault } = await admitEncryptionSet({ setId, parameter, ...place }, reader, deps.db)
  return plannedWith(setId, vault)
}

function plannedWith(setId: string, vault: string | undefined): DiskEncryption {
  return { encryption: encryptedWith(setId), ...(vault === undefined ? {} : { vault }) }
}

/** `encryption` of a disk, as Azure shows it. */
export function encryptedWith(setId: string | undefined): Encryption {
  return setId === undefined ? { type: platformKey } : { type: customerKey, diskEncryptionSetId: setId }
}

function vaultOfDisk(disk: Resource | undefined): string | undefined {
  return disk && findDiskFacts(disk).vault
}

function checkWords({ encryption, securityProfile }: Pick<DiskProperties, 'encryption' | 'securityProfile'>): void {
  const { type = '', diskEncryptionSetId = '' } = encryption ?? {}
  const target = { target: 'disk.encryption.type' }
  if (type === customerKey && diskEncryptionSetId === '')
    throw computeProblems.RequiredParameterMissing(
      { parameter: 'disk.encryption.diskEncryptionSetId' },
      { target: 'disk.encryption.diskEncryptionSetId' },
    )
  if (type === platformKey && diskEncryptionSetId !== '')
    throw computeProblems.InvalidParameterValue(
      { parameter: 'disk.encryption.type', reason: `A disk encryption set goes with '${customerKey}'.` },
      target,
    )
  if (type !== '' && type !== platformKey && type !== customerKey)
    throw computeProblems.EncryptionNotKept(
      { what: `The encryption type '${type}'`, instead: `Use '${customerKey}', or leave 'encryption' out.` },
      target,
    )
  const { securityType = '', secureVMDiskEncryptionSetId = '' } = securityProfile ?? {}
  if (secureVMDiskEncryptionSetId !== '' || /^ConfidentialVM/i.test(securityType))
    throw computeProblems.EncryptionNotKept(
      { what: 'A disk of a confidential machine', instead: "Leave 'securityProfile' out." },
      { target: 'disk.securityProfile' },
    )
}

/** Whether an update gives a disk another set: its bytes go into another vault. */
export function isRekeyed(before: Resource, after: Pick<Draft, 'properties'>): boolean {
  return encryptionSetOf(before)?.toLowerCase() !== encryptionSetOf(after)?.toLowerCase()
}

/** In the transaction that writes the row: the set is still there, and cannot go from now on. */
export async function holdEncryptionSet(tx: Tx, { after }: Pick<Change, 'after'>): Promise<void> {
  const setId = encryptionSetOf(after)
  if (setId !== undefined) await holdEncryptionSets(tx, [setId], 'disk.encryption.diskEncryptionSetId')
}
