import { accessProfiles, accessProfileVersions } from './access-profiles.ts'
import { diskEncryptionSets } from './disk-encryption-sets.ts'
import { disks } from './disks.ts'
import { galleries } from './galleries.ts'
import { galleryApplications, galleryApplicationVersions } from './gallery-applications.ts'
import { galleryImages } from './gallery-images.ts'
import { galleryImageVersions } from './gallery-image-versions.ts'
import { galleryScripts, galleryScriptVersions } from './gallery-scripts.ts'
import { images } from './images.ts'
import { resourceGroups } from './resource-groups.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { snapshots } from './snapshots.ts'
import { softDeletedVersions } from './soft-deleted-versions.ts'
import { storageAccounts } from './storage-accounts.ts'
import { userAssignedIdentities } from './user-assigned-identities.ts'
import { virtualMachines } from './virtual-machines.ts'

/** Every ARM type this server has; parents before children. */
export const resourceTypes: readonly ResourceTypeDeclaration[] = [
  resourceGroups,
  galleries,
  galleryImages,
  galleryImageVersions,
  softDeletedVersions,
  galleryApplications,
  galleryApplicationVersions,
  galleryScripts,
  galleryScriptVersions,
  accessProfiles,
  accessProfileVersions,
  diskEncryptionSets,
  disks,
  snapshots,
  images,
  storageAccounts,
  virtualMachines,
  userAssignedIdentities,
]

const byType = new Map(resourceTypes.map((declaration) => [declaration.type.toLowerCase(), declaration]))

/** Finds a declaration by its type in any spelling. */
export function findResourceType(type: string): ResourceTypeDeclaration | undefined {
  return byType.get(type.toLowerCase())
}
