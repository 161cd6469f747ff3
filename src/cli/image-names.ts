import { resourcePath } from '../client/arm-path.ts'
import { galleries } from '../contract/galleries.ts'
import { galleryImages } from '../contract/gallery-images.ts'
import { galleryImageVersions } from '../contract/gallery-image-versions.ts'
import type { ConnectionFlags } from './connection.ts'

/** The flags by which image commands name what they work on. */
export interface GalleryFlags extends ConnectionFlags {
  readonly resourceGroup: string
  readonly gallery: string
}
export interface ImageFlags extends GalleryFlags {
  readonly definition: string
}
export interface VersionFlags extends ImageFlags {
  readonly version: string
}

interface Place {
  readonly subscriptionId: string
}

const groupOf = (place: Place, flags: GalleryFlags) => ({ ...place, resourceGroup: flags.resourceGroup })

export function galleryPath(place: Place, flags: GalleryFlags): string {
  return resourcePath(galleries, groupOf(place, flags), [flags.gallery])
}

export function definitionsPath(place: Place, flags: GalleryFlags): string {
  return resourcePath(galleryImages, groupOf(place, flags), [flags.gallery])
}

export function definitionPath(place: Place, flags: ImageFlags): string {
  return resourcePath(galleryImages, groupOf(place, flags), [flags.gallery, flags.definition])
}

export function versionsPath(place: Place, flags: ImageFlags): string {
  return resourcePath(galleryImageVersions, groupOf(place, flags), [flags.gallery, flags.definition])
}

export function versionPath(place: Place, flags: VersionFlags): string {
  return resourcePath(galleryImageVersions, groupOf(place, flags), [flags.gallery, flags.definition, flags.version])
}
