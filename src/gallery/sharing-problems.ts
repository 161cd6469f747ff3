import { defineProblems } from '../base/problem.ts'

/** What sharing refuses. Azure's texts where they are recorded (behaviour.md A1, G), else our own under its codes. */
export const sharingProblems = defineProblems({
  StillShared: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { permissions: string }) =>
      `Gallery is still shared to '${f.permissions}'. Please unshare the gallery first before deleting the gallery.`,
  },
  NotOpenForSharing: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { operation: string; name: string; permissions: string; needed: string }) =>
      `Operation '${f.operation}' is not allowed on gallery '${f.name}': its sharingProfile.permissions is '${f.permissions}', not '${f.needed}'. Create a gallery with permissions '${f.needed}' for this kind of sharing.`,
  },
  SharingGroupsMissing: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { operation: string }) =>
      `Operation '${f.operation}' needs 'groups' with at least one id: [{ "type": "Subscriptions" or "AADTenants", "ids": [...] }].`,
  },
  SharingGroupsNotTaken: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { operation: string }) => `Operation '${f.operation}' takes no ids in 'groups'. Leave 'groups' out.`,
  },
  SharingIdInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; type: string }) =>
      `The id '${f.id}' in sharing group '${f.type}' is invalid. It must be the GUID of a ${f.type === 'AADTenants' ? 'tenant' : 'subscription'}.`,
  },
  TooManyGrantees: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { what: string; count: number; limit: number }) =>
      `A gallery can be shared with at most ${f.limit} ${f.what}, and this would make ${f.count}. Remove some first, or share with the tenant of the subscriptions.`,
  },
  CommunityInfoIncomplete: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { member: string }) =>
      `A community gallery needs communityGalleryInfo.${f.member}: it is shown to everyone who may use its images.`,
  },
  PublicNamePrefixInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { prefix: string }) =>
      `The publicNamePrefix '${f.prefix}' is invalid. Use 1 to 50 letters, digits, dots, underscores and hyphens, beginning with a letter or digit.`,
  },
  CommunityInfoNotTaken: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { permissions: string }) =>
      `communityGalleryInfo has no meaning with sharingProfile.permissions '${f.permissions}'. Leave it out, or create the gallery with permissions 'Community'.`,
  },
  SharedLocationDiffers: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { name: string; location: string; permissions: string; home: string }) =>
      `'${f.name}' in '${f.location}' cannot be in a gallery with sharing permissions '${f.permissions}': what is shared must be in the gallery's own region '${f.home}'. Create it there and name other regions as target regions.`,
  },
  SharedFeatureNotAllowed: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { name: string; value: string; permissions: string }) =>
      `'${f.name}' has the feature SecurityType '${f.value}', which galleries with sharing permissions '${f.permissions}' cannot hold. Use a private gallery, or '${f.value}Supported'.`,
  },
  SoftDeleteLocationDiffers: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { name: string; location: string; home: string }) =>
      `'${f.name}' in '${f.location}' cannot be in a gallery with soft delete: what can be brought back must be in the gallery's own region '${f.home}'. Create it there and name other regions as target regions.`,
  },
  SharedPlanNotAllowed: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { name: string }) =>
      `'${f.name}' has a purchase plan: images of the marketplace cannot be in a gallery with sharing permissions 'Community'. Use another gallery.`,
  },
  SharedEncryptionNotAllowed: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { name: string; permissions: string }) =>
      `'${f.name}' is encrypted with a disk encryption set, which galleries with sharing permissions '${f.permissions}' cannot hold. Use a private gallery, or leave 'encryption' out.`,
  },
  OneImageReferenceOnly: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      'Only one of id, sharedGalleryImageId and communityGalleryImageId can be given in imageReference. Leave the others out.',
  },
  SharedImageIdInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { member: string; id: string; first: string }) =>
      `The value '${f.id}' of parameter imageReference.${f.member} is invalid. It must have the form '/${f.first}/{gallery}/Images/{image}' or '/${f.first}/{gallery}/Images/{image}/Versions/{version}'.`,
  },
  /** Recorded for a community gallery (skypilot-org/skypilot#4145). */
  SharedGalleryNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { name: string; region: string }) =>
      `please check if the gallery name '${f.name}' is valid and the gallery exists in '${f.region}' region.`,
  },
  SharedImageNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { name: string; region: string }) =>
      `please check if the image name '${f.name}' is valid and the image exists in '${f.region}' region.`,
  },
  SharedVersionNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { name: string; region: string }) =>
      `please check if the image version name '${f.name}' is valid and the image version exists in '${f.region}' region.`,
  },
})
