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

export interface StoredIn {
  readonly region: string
  readonly storageClass: StorageClass
}

/** What the source of a disk says of itself. */
export interface SourceFacts {
  readonly virtualSizeBytes: number
  /** The region it is a resource of; undefined: it is none, but a file that was handed in. */
  readonly location?: string | undefined
  /** The store that keeps its bytes; undefined: none yet, they are in a file. */
  readonly storedIn?: StoredIn | undefined
  readonly osType?: string | undefined
  readonly hyperVGeneration?: string | undefined
}

export interface FoundSource extends SourceFacts {
  readonly place: SourcePlace
}

/** Bytes that stay where they are until they are let go of. */
export interface HeldPlace extends Disposable {
  readonly place: SourcePlace
  /** What had to be read to have them: of a virtual machine's disk what its guest changed. */
  readonly bytesRead: number
}

/** A place whose bytes something else keeps. */
export function keptPlace(place: SourcePlace): HeldPlace {
  return { place, bytesRead: 0, [Symbol.dispose]() {} }
}

export interface HeldSource extends FoundSource, HeldPlace {}

/** A managed image or virtual machine: several disks at once, and what is known of the system on them. */
export interface WholeSource {
  readonly location: string
  readonly osState: 'Generalized' | 'Specialized'
  readonly osType: string
  readonly hyperVGeneration: string
  readonly plan?: { readonly name?: string; readonly publisher?: string; readonly product?: string } | undefined
  /** `lun` is -1 for the OS disk. */
  readonly disks: readonly {
    readonly lun: number
    readonly virtualSizeBytes: number
    readonly storedIn: StoredIn
  }[]
}

export interface HeldWhole extends Disposable {
  readonly disks: ReadonlyMap<number, Omit<HeldSource, keyof Disposable>>
}

/** Finds what a version may be made of; the wiring connects it to disks, snapshots and the upload area. */
export interface SourceFinder {
  /** A managed disk or snapshot, checked to be readable; undefined: there is none of this id. Throws what is wrong with it. */
  findDisk(id: string): Promise<SourceFacts | undefined>
  /** Its bytes at this moment: of a disk that a virtual machine writes to, what a power cut would leave. */
  holdDisk(id: string, signal: AbortSignal): Promise<HeldSource | undefined>
  /** A managed image or a virtual machine; undefined: there is none of this id. Throws what is wrong with it. */
  findWhole(id: string): Promise<WholeSource | undefined>
  /** All its disks as they are at one moment. */
  holdWhole(id: string, signal: AbortSignal): Promise<HeldWhole | undefined>
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

/** How many resources a subscription may have in a region (behaviour.md J). */
export interface GalleryQuota {
  readonly galleries: number
  readonly imageDefinitions: number
  readonly imageVersions: number
  readonly applications: number
  readonly applicationVersions: number
  readonly scripts: number
  readonly scriptVersions: number
  readonly accessProfiles: number
  readonly accessProfileVersions: number
}

export interface GalleryLimits extends SharingLimits, GalleryQuota {
  /** Replicas of a version in a region: 100 today, 10 in the profile of 2020. */
  readonly maximumReplicas: number
  /** The same of applications and scripts: 10 today, 3 before. */
  readonly maximumArtifactReplicas: number
  /** Largest disk that an image may hold. */
  readonly maximumDiskBytes: number
  /** The same where it is copied to regions (replicationMode Full). */
  readonly maximumFullDiskBytes: number
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
