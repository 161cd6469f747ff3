import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { RegionDirectory } from '../base/region.ts'
import type { DiskFormat } from '../blocks/disk-image.ts'
import type { Db } from '../db/tables.ts'
import type { DiskStores, StorageClass } from '../store/disk-store.ts'
import type { SharingLimits } from './sharing-rules.ts'

/** Where the bytes of a source are: a file on this machine, or a disk that a region already keeps. */
export type SourcePlace =
  | { readonly kind: 'file'; readonly path: string; readonly format: DiskFormat | undefined }
  | {
      readonly kind: 'stored'
      /** Short region name. */
      readonly region: string
      readonly storageClass: StorageClass
      readonly root: string
    }

export interface FoundSource {
  readonly place: SourcePlace
  readonly virtualSizeBytes: number
  readonly osType?: string | undefined
  readonly hyperVGeneration?: string | undefined
}

/** Finds what a version may be made of; the wiring connects it to disks, snapshots and the upload area. */
export interface SourceFinder {
  /** A managed disk or snapshot, checked to be readable; undefined: there is none of this id. Throws what is wrong with it. */
  findDisk(id: string): Promise<FoundSource | undefined>
  /**
   * A blob or push of this server's own upload area. Throws for foreign, unknown, unfinished or malformed ones.
   * `baseUrl`: how the client that names it sees this server; undefined for an address that was accepted before, whose
   * host and port may have been another's since.
   */
  findBlob(uri: string, baseUrl: string | undefined): Promise<FoundSource & { readonly subscriptionId: string }>
  /** The same for a blob that is no disk: an application's package, a script. */
  findFile(uri: string, baseUrl: string | undefined): Promise<FoundFile>
}

/** A file as it was handed in; `path` names it on this machine until it is overwritten or deleted. */
export interface FoundFile {
  readonly path: string
  readonly sizeBytes: number
  /** Whose it is: the caller must have the right to it. */
  readonly subscriptionId: string
}

export interface GalleryLimits extends SharingLimits {
  /** Replicas of a version in a region: 100 today, 10 in the profile of 2020. */
  readonly maximumReplicas: number
  /** Largest disk that an image may hold. */
  readonly maximumDiskBytes: number
  /** Resources of a subscription in a region (behaviour.md J). */
  readonly galleries: number
  readonly imageDefinitions: number
  readonly imageVersions: number
}

export interface DiskAddressRequest {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly format: 'raw' | 'vhd'
  readonly durationSeconds: number
  readonly baseUrl: string
}

/** What the gallery's workflows and hooks stand on; only the wiring makes one. */
export interface GalleryDependencies {
  readonly db: Db
  readonly regions: RegionDirectory
  readonly stores: DiskStores
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: GalleryLimits
  readonly sources: SourceFinder
  /** A signed address at which the disk's bytes can be read. */
  readonly signDiskAddress: (request: DiskAddressRequest) => Promise<string>
  /** Asks for a sweep of the stores soon: something was let go of. */
  readonly requestSweep: () => void
}
