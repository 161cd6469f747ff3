import { defineProblems } from '../base/problem.ts'

function replicationFailedText(f: { failures: readonly { region: string; detail: string }[] }): string {
  return `Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: '${f.failures.map((x) => `{region:${x.region}, detail:${x.detail}}`).join(', ')}'. If retry does not work, then please do an update by removing the failed regions and update again by adding them back.`
}

/** Azure's texts: behaviour.md A1 and A2. The key is the public code unless `code` says otherwise. */
export const galleryProblems = defineProblems({
  GalleryImageNotFound: {
    kind: 'absent',
    say: (f: { id: string; region: string }) =>
      `"The gallery image ${f.id} is not available in ${f.region} region. Please contact image owner to replicate to this region, or change your requested region."`,
  },
  GalleryNameNotUnique: {
    kind: 'conflict',
    code: 'Conflict',
    say: (f: { name: string; subscriptionId: string }) =>
      `The gallery name '${f.name}' is not unique within the subscription '${f.subscriptionId}'. Please pick another gallery name.`,
  },
  ImageIdentifierTaken: {
    kind: 'conflict',
    code: 'Conflict',
    say: (f: { name: string; publisher: string; offer: string; sku: string }) =>
      `Gallery image: ${f.name} identified by (publisher:${f.publisher}, offer:${f.offer}, sku:${f.sku}) already exists. Choose a different publisher, offer, sku combination.`,
  },
  FeatureValue: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { name: string; value: string; allowed: readonly string[] }) =>
      `The value '${f.value}' of the feature '${f.name}' is not one of the allowed values '${f.allowed.join("', '")}'.`,
  },
  FeatureNeedsV2: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { securityType: string }) =>
      `The feature SecurityType '${f.securityType}' needs hyperVGeneration 'V2'. Set it, or leave the feature out.`,
  },
  StorageTypeAndStrategy: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'storageAccountType and storageAccountStrategy are mutually exclusive. Give one of them, or neither.',
  },
  UefiSignature: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { path: string; type: string; wanted: string }) =>
      `A value of parameter ${f.path} is not a key of type '${f.type}': ${f.wanted}.`,
  },
  UefiSettingsNeedV2: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      "uefiSettings need a gallery image of hyperVGeneration 'V2': a machine of generation V1 starts without UEFI. Leave securityProfile out.",
  },
  EndOfLifeInPast: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'EndOfLifeDate must be set to a future date.',
  },
  DuplicateRegions: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'Duplicate regions are not allowed in target publishing regions.',
  },
  UnknownRegion: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { region: string; known: string }) =>
      `The target region '${f.region}' is not known to this server. The supported locations are '${f.known}'. Use one of them, or add the region to the server's configuration file.`,
  },
  LocationNotAmongTargets: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { regions: string; location: string }) =>
      `Gallery image version publishing profile regions '${f.regions}' must contain the location of image version '${f.location}'.`,
  },
  OutOfRange: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { value: number; parameter: string; minimum: number; maximum: number }) =>
      `The value ${f.value} of parameter ${f.parameter} is out of range. The value must be between ${f.minimum} and ${f.maximum}, inclusive.`,
  },
  ZonesMissing: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'ZRS storage account type is not supported in this region.',
  },
  /** Said beside it: the version names more regions than one. */
  ZonesCounted: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { region: string }) =>
      `Region '${f.region}' has fewer than three zones: choose Standard_LRS or Premium_LRS.`,
  },
  StorageClassNotKept: {
    kind: 'conflict',
    code: 'PropertyChangeNotAllowed',
    say: (f: { region: string; existing: string }) =>
      `Global storage account type does not match the storage account type in the existing TargetRegion: '${f.region}'. Please specify '${f.existing}' as the storage account type for this region.`,
  },
  StorageClassNotSupported: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { value: string }) =>
      `The storage account type '${f.value}' is not one for the replicas of a target region. Choose Standard_LRS, Standard_ZRS or Premium_LRS; PremiumV2_LRS is for additionalReplicaSets.`,
  },
  ReplicatedRegionKept: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { regions: string }) =>
      `Removing the replicated region(s) '${f.regions}' is not allowed because safetyProfile.allowDeletionOfReplicatedLocations is false. Set it to true first, then remove the region.`,
  },
  BlockedBeforeEndOfLife: {
    kind: 'conflict',
    code: 'DeleteGalleryImageVersionBlockedBeforeEndOfLife',
    say: () =>
      'Deletion of Gallery image version is not allowed because the image is enabled for blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet',
  },
  OneSourceOnly: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      'The gallery artifact version source can only be specified either directly under storageProfile or within individual OS or data disks. One and only one source type (user image, snapshot, disk, virtual machine) can be provided.',
  },
  SourceNotFound: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) =>
      `Source ${f.id} is not found. Please check source exists, and is in the same region as gallery image version being created.`,
  },
  BlobSourceNotFound: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `Source was not found: ${f.id}. Please make sure the source exists.`,
  },
  SourceWrongKind: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) =>
      `The source id: ${f.id} must either be a managed image, virtual machine or another gallery image version`,
  },
  SourceStateDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; wanted: string; source: string }) =>
      `Cannot create Gallery Image Version from: ${f.id} since the OS State in the parent gallery image ('${f.wanted}') is not '${f.source}'.`,
  },
  SourcePlanDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; source: string; wanted: string }) =>
      `The resource with id ${f.id} has a different plan ['${f.source}'] than the parent gallery image plan ['${f.wanted}']`,
  },
  SourceChanged: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { id: string }) =>
      `The source ${f.id} no longer holds what this image version was made of, so bytes that were lost cannot be taken from it again. Delete the version and publish a new one.`,
  },
  DiskSourceWrongKind: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `The source id: ${f.id} must be a managed disk or snapshot.`,
  },
  InvalidSourceId: {
    kind: 'invalid',
    code: 'LinkedInvalidPropertyId',
    say: (f: { id: string; path: string }) =>
      `Property id '${f.id}' at path '${f.path}' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.`,
  },
  DuplicateLuns: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      'Duplicated lun numbers have been detected in the input data disks. Lun number must be unique for each data disk.',
  },
  SameBlob: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `OSDiskImage and DataDiskImage cannot point to same blob ${f.id}`,
  },
  DuplicateSources: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'Duplicated source ids are found in the input disks. Source id should be unique for each disk.',
  },
  SourceGenerationDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; source: string; wanted: string }) =>
      `The resource with id '${f.id}' has a different Hypervisor generation ['${f.source}'] than the parent gallery image Hypervisor generation ['${f.wanted}']`,
  },
  SourceOsTypeDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; source: string; wanted: string }) =>
      `The resource with id '${f.id}' has a different OS type ['${f.source}'] than the parent gallery image OS type generation ['${f.wanted}']`,
  },
  SourceArchitectureDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; source: string; wanted: string }) =>
      `The resource with id '${f.id}' has a different architecture ['${f.source}'] than the parent gallery image architecture ['${f.wanted}']`,
  },
  GallerySourceResourceExceedsMaxSize: {
    kind: 'invalid',
    say: (f: { sizeGiB: number; maximumGiB: number }) =>
      `Replication failed in this region due to 'The GalleryImageVersion source resource size ${f.sizeGiB} exceeds the max size ${f.maximumGiB} supported.'`,
  },
  EncryptionNotSupported: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { region: string }) =>
      `Encryption with a disk encryption set (target '${f.region}') is supported for the disks of image versions in target regions only: here the bytes would not be encrypted. Leave 'encryption' out.`,
  },
  EncryptionSetIdInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string }) => `The value of parameter ${f.parameter} is invalid`,
  },
  EncryptionSetElsewhere: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; subscriptionId: string; user: string }) =>
      `The disk encryption set '${f.id}' must be in the same subscription '${f.subscriptionId}' as the ${f.user}.`,
  },
  EncryptionSetNotFound: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `The disk encryption set ${f.id} was not found.`,
  },
  EncryptionSetInOtherRegion: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; location: string; region: string }) =>
      `The disk encryption set '${f.id}' is in region '${f.location}', but must be in the region '${f.region}' whose bytes it encrypts. Name a set of that region.`,
  },
  EncryptionSetRequired: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { disk: string; region: string; id: string; other: string }) =>
      `A disk encryption set is required for disk '${f.disk}' in target region '${f.region}' since disk encryption set '${f.id}' is used for the corresponding disk in region '${f.other}'`,
  },
  EncryptionLunInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { lun: number; luns: string }) =>
      `An invalid lun [${f.lun}] was specified in encryption.dataDiskImages. The lun must be one of the following values ['${f.luns}'].`,
  },
  EncryptionLunTwice: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { luns: string; region: string }) =>
      `Duplicate luns '${f.luns}' were specified in target region '${f.region}' encryption.dataDiskImages.`,
  },
  EncryptionLunAdded: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { lun: number; region: string }) =>
      `Cannot specify new data disk image encryption lun [${f.lun}] with a disk encryption set in region [${f.region}] for update gallery image version request. To update this version, remove the new lun. If you need to change the data disk image encryption settings, you must create a new gallery image version with the correct settings.`,
  },
  ShallowNotEncrypted: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: () =>
      "A version with replicationMode 'Shallow' leaves the bytes where they are, so they cannot be encrypted with a disk encryption set. Use 'Full', or leave 'encryption' out.",
  },
  EncryptedSource: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) =>
      `Encryption is not supported for source resource '${f.id}'. Please use a different source resource type which supports encryption or remove encryption properties: a version that is encrypted with a disk encryption set cannot be the source of another.`,
  },
  EncryptedSourceElsewhere: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; own: string; other: string }) =>
      `Encrypted source: '${f.id}' is in a different subscription ID than the current gallery image version subscription '${f.own}'. Please retry with an unencrypted source(s) or use the source's subscription '${f.other}' to create the gallery image version`,
  },
  EncryptedInOtherSubscription: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { set: string; version: string; own: string; other: string }) =>
      `Disk encryption set ${f.set} in shared image gallery ${f.version} belongs to subscription ${f.own} and cannot be used with resource '' in subscription ${f.other}`,
  },
  ConfidentialNotSupported: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { region: string; type: string }) =>
      `confidentialVMEncryptionType '${f.type}' (target region '${f.region}') is not supported by this server: it has no confidential machines, and the bytes would not be encrypted. Leave 'encryption' out.`,
  },
  ExtendedLocationUnknown: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { zone: string; region: string; known: string }) =>
      `The extended location '${f.zone}' is not available in region '${f.region}'. Those of this server are: ${f.known}. Use one of them, or declare it under the region's 'extendedLocations' in the server's configuration file.`,
  },
  ExtendedLocationZones: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { zone: string }) =>
      `ZRS storage account type is not supported in the extended location '${f.zone}': it has no zones. Choose Standard_LRS, StandardSSD_LRS or Premium_LRS.`,
  },
  DuplicateExtendedLocations: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'Duplicate extended locations are not allowed in target publishing regions.',
  },
  SourceDamaged: {
    kind: 'conflict',
    say: (f: { region: string }) =>
      `The disk that is to be copied from region '${f.region}' is damaged or incomplete there. Run 'goldleaf image verify' on the version that it belongs to, which heals it from another region where it can, then send the request again.`,
  },
  ReplicationFailed: {
    kind: 'conflict',
    code: 'ReplicationJobsNotCompleted',
    say: replicationFailedText,
  },
  // The same to a client; the engine tries again a few times before it comes to that.
  ReplicationInterrupted: {
    kind: 'unavailable',
    code: 'ReplicationJobsNotCompleted',
    say: replicationFailedText,
  },
  VersionInRecycleBin: {
    kind: 'conflict',
    code: 'Conflict',
    say: (f: { id: string; purgeId: string }) =>
      `The version '${f.id}' was deleted and is in the recycle bin of its gallery, so its name is taken. Bring it back by a PUT with properties.restore: true (api-version 2024-03-03 or later), or remove it for good by DELETE ${f.purgeId}.`,
  },
  FailedVersionKept: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { id: string }) =>
      `The version '${f.id}' failed, so it cannot go into the recycle bin of its gallery. Repeat its PUT until it succeeds, or remove it for good: DELETE with bypassSoftDelete=true (api-version 2026-03-03), or with the gallery's soft delete turned off for the moment.`,
  },
  BypassInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { value: string }) =>
      `The value '${f.value}' of parameter bypassSoftDelete is invalid. Use true or false.`,
  },
  NothingToRestore: {
    kind: 'absent',
    code: 'ResourceNotFound',
    say: (f: { id: string }) =>
      `There is no deleted version '${f.id}' to restore: the recycle bin of its gallery does not hold it, or its retention is over. List softDeletedArtifactTypes/Images/artifacts/{definition}/versions to see what it holds.`,
  },
  ArtifactTypeUnknown: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { value: string }) =>
      `The value '${f.value}' of parameter artifactType is invalid. Image versions are kept after deletion: use 'Images'.`,
  },
  ReplicaNotHere: {
    kind: 'absent',
    code: 'GalleryImageNotFound',
    say: (f: { id: string; region: string; disk: string }) =>
      `The ${f.disk} of ${f.id} has no complete replica in region '${f.region}'. Ask for one of its regions (see replicationStatus), or wait until replication has finished.`,
  },
  QuotaExceeded: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { what: string; location: string; limit: number; used: number }) =>
      `Operation could not be completed as it results in exceeding approved ${f.what} quota. Additional details - Location: ${f.location}, Current Limit: ${f.limit}, Current Usage: ${f.used}, Additional Required: 1. Delete some, or raise the limit in the server's configuration.`,
  },
  ShallowOneReplica: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { location: string }) =>
      `A gallery image version with replicationMode 'Shallow' has one replica, in its own region '${f.location}': nothing of it is copied. Name that region only, with a replica count of 1, or use replicationMode 'Full'.`,
  },
})
