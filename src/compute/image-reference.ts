import type { ImageReference } from '../gallery/resolve-image.ts'

/** Whether a reference names an image of a gallery, in one of the three ways; a marketplace image it does not. */
export function namesImage<R extends ImageReference>(reference: R | undefined): reference is R {
  if (reference === undefined) return false
  const { id, sharedGalleryImageId, communityGalleryImageId } = reference
  return (id ?? sharedGalleryImageId ?? communityGalleryImageId) !== undefined
}
