import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { ImageProperties } from '../contract/images.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { factsMember } from './dependencies.ts'
import type { StoredBytes } from './disk-facts.ts'

/** Where a disk of a managed image is taken from, once. */
export type ImageDiskOrigin =
  | { readonly kind: 'disk'; readonly key: string }
  | { readonly kind: 'blob'; readonly uri: string }
  /** A disk of the source machine. */
  | { readonly kind: 'machine' }

export interface ImageDiskFacts {
  readonly lun: 'os' | number
  readonly origin: ImageDiskOrigin
  /** What the image asks for where that is more than its source has. */
  readonly sizeBytes?: number | undefined
  /** The vault that it is to rest in; undefined: wherever its source does. */
  readonly vault?: string | undefined
  /** Undefined until the image is made. */
  readonly bytes?: StoredBytes | undefined
}

export interface ImageFacts {
  /** Key of the source machine. */
  readonly machineKey?: string | undefined
  readonly disks: readonly ImageDiskFacts[]
}

export const imageType = 'Microsoft.Compute/images'

export function imagePropertiesOf(image: Pick<Draft, 'properties'>): ImageProperties {
  return image.properties
}

export function formatImageFacts({ machineKey, disks }: ImageFacts): JsonObject {
  return {
    ...(machineKey === undefined ? {} : { machineKey }),
    disks: disks.map(({ lun, origin, sizeBytes, vault, bytes }) => ({
      lun,
      origin: { ...origin },
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(vault === undefined ? {} : { vault }),
      ...(bytes === undefined ? {} : { bytes: { ...bytes } }),
    })),
  }
}

export function findImageFacts(image: Pick<Resource, 'envelope'>): ImageFacts {
  const value = image.envelope[factsMember]
  // Written by `formatImageFacts` and by nobody else.
  return isJsonObject(value) ? (value as unknown as ImageFacts) : { disks: [] }
}
