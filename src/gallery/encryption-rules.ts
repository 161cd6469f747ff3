import { findArmId } from '../base/arm-id.ts'
import type { RegionDirectory } from '../base/region.ts'
import { diskEncryptionSetType } from '../contract/disk-encryption-sets.ts'
import { contractProblems } from '../contract/problems.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'
import { findDiskEncryptionSet, type DiskEncryptionSet } from '../keys/disk-encryption-sets.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { lockResource } from '../resources/resource.rows.ts'
import type { Draft } from '../resources/resource.ts'
import { vaultOf } from '../store/vault.ts'
import type { FindVault, PublishingProfile } from './placement.ts'
import { artifactProblems } from './artifact-problems.ts'
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
    const isRefused = encryption !== undefined && namesKeys(encryption, isRegion)
    // `galleryApplicationVersion` -> `Gallery application version`
    const what = profilePath.split('.', 1)[0]?.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) ?? ''
    if (isRefused && !takesKeys)
      throw artifactProblems.ArtifactNotEncrypted({ what: what.replace(/^g/, 'G') }, { target })
    if (isRefused) throw galleryProblems.EncryptionNotSupported({ region }, { target })
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
  for (const { setId, lun, region } of disks.filter((disk) => !known.has(keyOfDisk(disk)))) {
    const place = { subscriptionId, region: regions.find(region)?.name ?? region, user: 'gallery resource' }
    await admitEncryptionSet({ setId, parameter: memberOf(lun), ...place }, context, db)
  }
}

/** What is to be encrypted with a set. */
export interface EncryptionSetUse {
  readonly setId: string
  /** Path of the member that names it. */
  readonly parameter: string
  readonly subscriptionId: string
  /** Short name of the region whose bytes it encrypts. */
  readonly region: string
  /** As messages call what is encrypted: `gallery resource`, `disk`. */
  readonly user: string
}

/** Finds a set for who names it: of the same subscription and region, and one that the caller may read. */
export async function admitEncryptionSet(
  { setId, parameter, subscriptionId, region, user }: EncryptionSetUse,
  context: Pick<RequestContext, 'authorize'>,
  db: DbOrTx,
): Promise<DiskEncryptionSet> {
  const target = { target: parameter }
  const id = findArmId(setId)
  if (!id || id.type.toLowerCase() !== diskEncryptionSetType.toLowerCase())
    throw galleryProblems.EncryptionSetIdInvalid({ parameter }, target)
  if (id.subscriptionId.toLowerCase() !== subscriptionId.toLowerCase())
    throw galleryProblems.EncryptionSetElsewhere({ id: setId, subscriptionId, user }, target)
  await context.authorize(`${diskEncryptionSetType}/read`, setId)
  const set = await findDiskEncryptionSet(db, setId)
  if (!set?.isUsable) throw galleryProblems.EncryptionSetNotFound({ id: setId }, target)
  if (set.location !== region)
    throw galleryProblems.EncryptionSetInOtherRegion({ id: setId, location: set.location, region }, target)
  return set
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
  await holdEncryptionSets(
    tx,
    encryptedDisks(versionProperties(after).publishingProfile).map(({ setId }) => setId),
    errorPath,
  )
}

export async function holdEncryptionSets(tx: Tx, setIds: readonly string[], target: string): Promise<void> {
  for (const id of new Set(setIds)) {
    const set = await lockResource(tx, id.toLowerCase())
    if (!set || set.provisioningState === 'Deleting') throw galleryProblems.EncryptionSetNotFound({ id }, { target })
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
