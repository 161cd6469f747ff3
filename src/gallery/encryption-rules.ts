import { findArmId } from '../base/arm-id.ts'
import type { RegionDirectory } from '../base/region.ts'
import { diskEncryptionSetType } from '../contract/disk-encryption-sets.ts'
import { contractProblems } from '../contract/problems.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'
import { findDiskEncryptionSet } from '../keys/disk-encryption-sets.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { lockResource } from '../resources/resource.rows.ts'
import type { Draft } from '../resources/resource.ts'
import { vaultOf } from '../store/vault.ts'
import type { FindVault, PublishingProfile } from './placement.ts'
import { galleryProblems } from './problems.ts'
import { osDiskLun, type Replica } from './replica.rows.ts'
import { versionProperties } from './version-properties.ts'

type TargetRegion = NonNullable<NonNullable<PublishingProfile>['targetRegions']>[number]
type Encryption = NonNullable<TargetRegion['encryption']>

const errorPath = 'galleryArtifactVersion.properties.publishingProfile.targetRegions.encryption'
/** Of the disk encryption set of a data disk, in the words of what may not change. */
const createdPath =
  'galleryImageVersion.properties.publishingProfile.targetRegions.encryption.dataDiskImages.diskEncryptionSetId'

/** A disk of a version that a region keeps encrypted. */
export interface EncryptedDisk {
  /** As the version names the region. */
  readonly region: string
  /** -1 is the OS disk. */
  readonly lun: number
  readonly setId: string
}

/** Empty members, which clients send for platform-managed keys, say nothing: how a store's folders are kept is the operator's. */
export function encryptedDisks(profile: PublishingProfile): readonly EncryptedDisk[] {
  return (profile?.targetRegions ?? []).flatMap(({ name, encryption }) => {
    const { osDiskImage, dataDiskImages = [] } = encryption ?? {}
    const named = [
      { lun: osDiskLun, setId: osDiskImage?.diskEncryptionSetId ?? '' },
      ...dataDiskImages.map(({ lun, diskEncryptionSetId = '' }) => ({ lun, setId: diskEncryptionSetId })),
    ]
    return named.flatMap(({ lun, setId }) => (setId === '' ? [] : [{ region: name, lun, setId }]))
  })
}

/**
 * Refuses what would be accepted without effect, because a caller may rely on it: keys for edge zones, for confidential
 * machines, and for versions that are no disks (`takesKeys`: false).
 */
export function checkEncryption(profile: PublishingProfile, profilePath: string, takesKeys: boolean): void {
  const places = [
    ...(profile?.targetRegions ?? []).map((target) => ({ ...target, member: 'targetRegions' })),
    ...(profile?.targetExtendedLocations ?? []).map((target) => ({ ...target, member: 'targetExtendedLocations' })),
  ]
  for (const { name: region = '', encryption, member } of places) {
    const target = `${profilePath}.${member}.encryption`
    const isRegion = takesKeys && member === 'targetRegions'
    if (encryption && namesKeys(encryption, isRegion))
      throw galleryProblems.EncryptionNotSupported({ region }, { target })
    const type = encryption?.osDiskImage?.securityProfile?.confidentialVMEncryptionType
    if (type !== undefined) throw galleryProblems.ConfidentialNotSupported({ region, type }, { target })
  }
}

function namesKeys({ osDiskImage, dataDiskImages = [] }: Encryption, isRegion: boolean): boolean {
  const ids = [
    osDiskImage?.securityProfile?.secureVMDiskEncryptionSetId,
    ...(isRegion
      ? []
      : [osDiskImage?.diskEncryptionSetId, ...dataDiskImages.map((image) => image.diskEncryptionSetId)]),
  ]
  return ids.some((id) => id !== undefined && id !== '')
}

/** What encryption must agree with besides the request itself. */
export interface EncryptionFacts {
  readonly db: DbOrTx
  readonly regions: RegionDirectory
  /** Finds the LUNs of the version's data disks. */
  readonly findDataLuns: () => Promise<readonly number[]>
}

/**
 * The rules of disk encryption sets (behaviour.md F and Azure's texts there): a disk is encrypted in all regions or in
 * none, with a set that the caller may read, of the version's own subscription and of the region itself.
 */
export async function checkEncryptionSets(
  change: Pick<Change, 'id' | 'before' | 'after'>,
  context: Pick<RequestContext, 'authorize'>,
  { db, regions, findDataLuns }: EncryptionFacts,
): Promise<void> {
  const profile = versionProperties(change.after).publishingProfile
  const before = change.before && versionProperties(change.before).publishingProfile
  const disks = encryptedDisks(profile)
  checkDataDisks(profile, before)
  if (disks.length === 0) return
  if (profile?.replicationMode === 'Shallow') throw galleryProblems.ShallowNotEncrypted({}, { target: errorPath })
  if (disks.some(({ lun }) => lun !== osDiskLun)) checkLuns(disks, await findDataLuns())
  checkEverywhere(profile?.targetRegions ?? [], disks)
  const known = new Set(encryptedDisks(before).map(keyOfDisk))
  const { subscriptionId } = change.id
  for (const disk of disks) {
    if (known.has(keyOfDisk(disk))) continue
    const target = { target: memberOf(disk.lun) }
    const id = findArmId(disk.setId)
    if (!id || id.type.toLowerCase() !== diskEncryptionSetType.toLowerCase())
      throw galleryProblems.EncryptionSetIdInvalid({ parameter: memberOf(disk.lun) }, target)
    if (id.subscriptionId.toLowerCase() !== subscriptionId.toLowerCase())
      throw galleryProblems.EncryptionSetElsewhere({ id: disk.setId, subscriptionId }, target)
    await context.authorize(`${diskEncryptionSetType}/read`, disk.setId)
    const set = await findDiskEncryptionSet(db, disk.setId)
    if (!set?.isUsable) throw galleryProblems.EncryptionSetNotFound({ id: disk.setId }, target)
    if (set.location !== regions.find(disk.region)?.name)
      throw galleryProblems.EncryptionSetInOtherRegion(
        { id: disk.setId, location: set.location, region: disk.region },
        target,
      )
  }
}

const keyOfDisk = ({ region, lun, setId }: EncryptedDisk): string => `${region} ${lun} ${setId}`.toLowerCase()

function memberOf(lun: number): string {
  return `${errorPath}.${lun === osDiskLun ? 'osDiskImage' : 'dataDiskImages'}.diskEncryptionSetId`
}

/** A region names each data disk once, and what is encrypted there neither comes nor goes after creation. */
function checkDataDisks(profile: PublishingProfile, before: PublishingProfile): void {
  const target = { target: memberOf(0) }
  for (const { name: region, encryption } of profile?.targetRegions ?? []) {
    const luns = (encryption?.dataDiskImages ?? []).map(({ lun }) => lun)
    const twice = new Set(luns.filter((lun, index) => luns.indexOf(lun) !== index))
    if (twice.size > 0) throw galleryProblems.EncryptionLunTwice({ luns: [...twice].join(','), region }, target)
    if (!before?.targetRegions?.some(({ name }) => name === region)) continue
    const lunsHere = (of: PublishingProfile): readonly number[] =>
      encryptedDisks(of).flatMap((disk) => (disk.region === region ? [disk.lun] : []))
    const [is, was] = [lunsHere(profile), lunsHere(before)]
    const added = is.find((lun) => !was.includes(lun))
    if (added !== undefined) throw galleryProblems.EncryptionLunAdded({ lun: added, region }, target)
    if (was.some((lun) => !is.includes(lun)))
      throw contractProblems.PropertyChangeNotAllowed({ path: createdPath }, { target: createdPath })
  }
}

function checkLuns(disks: readonly EncryptedDisk[], dataLuns: readonly number[]): void {
  for (const { lun } of disks)
    if (lun !== osDiskLun && !dataLuns.includes(lun))
      throw galleryProblems.EncryptionLunInvalid({ lun, luns: dataLuns.join(',') }, { target: memberOf(lun) })
}

function checkEverywhere(targets: readonly TargetRegion[], disks: readonly EncryptedDisk[]): void {
  for (const { lun, setId, region: other } of disks) {
    const bare = targets.find(({ name }) => !disks.some((one) => one.lun === lun && one.region === name))
    if (!bare) continue
    const disk = lun === osDiskLun ? memberOf(lun) : `LUN ${lun}`
    throw galleryProblems.EncryptionSetRequired(
      { disk, region: bare.name, id: setId, other },
      { target: memberOf(lun) },
    )
  }
}

/** In the transaction that writes the version: its sets are still there, and cannot go from now on. */
export async function commitEncryptionSets(tx: Tx, { after }: Pick<Change, 'after'>): Promise<void> {
  const ids = new Set(encryptedDisks(versionProperties(after).publishingProfile).map(({ setId }) => setId))
  for (const id of ids) {
    const set = await lockResource(tx, id.toLowerCase())
    if (!set || set.provisioningState === 'Deleting')
      throw galleryProblems.EncryptionSetNotFound({ id }, { target: errorPath })
  }
}

/** The vaults of a version's disks. Throws where a set is gone: never are bytes kept in the clear instead. */
export async function findVaults(
  version: Pick<Draft, 'properties'>,
  { db, regions }: Pick<EncryptionFacts, 'db' | 'regions'>,
): Promise<FindVault> {
  const vaults = new Map<string, string>()
  for (const { region, lun, setId } of encryptedDisks(versionProperties(version).publishingProfile)) {
    const set = await findDiskEncryptionSet(db, setId)
    if (!set || set.vault === '') throw galleryProblems.EncryptionSetNotFound({ id: setId })
    vaults.set(`${regions.find(region)?.name} ${lun}`, set.vault)
  }
  return (region, lun) => vaults.get(`${region} ${lun}`)
}

export function isEncrypted({ storageClass }: Pick<Replica, 'storageClass'>): boolean {
  return vaultOf(storageClass) !== undefined
}
