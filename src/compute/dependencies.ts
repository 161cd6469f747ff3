import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { RegionDirectory } from '../base/region.ts'
import type { Db } from '../db/tables.ts'
import type { FoundSource } from '../gallery/dependencies.ts'
import type { ImageConsumer, ImageReference, ResolvedImage } from '../gallery/resolve-image.ts'
import type { AccessProfileUse } from '../gallery/resolve-access-profile.ts'
import type { ResolvedApplication } from '../gallery/resolve-application.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import type { DiskStores, StorageClass } from '../store/disk-store.ts'
import type { DiskBytes } from './disk-bytes.ts'
import type { HypervisorProvider } from './provider.ts'

export interface ComputeLimits {
  /** What a machine gets at most, whatever its size says: this is one host, not a region. */
  readonly maximumCpus: number
  readonly maximumMemoryMiB: number
  /** How long a guest may take to shut down by itself before the plug is pulled. */
  readonly shutdownGraceMs: number
  /** How long a guest may take to let go of a disk while it runs. */
  readonly detachTimeoutMs: number
  /** How long an operation waits for applications whose failure is its own. */
  readonly applicationTimeoutMs: number
}

export const defaultComputeLimits: ComputeLimits = {
  maximumCpus: 1,
  maximumMemoryMiB: 256,
  shutdownGraceMs: 20_000,
  detachTimeoutMs: 60_000,
  // Azure's, of a machine's extensions.
  applicationTimeoutMs: 90 * 60_000,
}

/** What this room stands on; only the wiring makes one. */
export interface ComputeDependencies {
  /** Absolute; `vms/` and `run/` are made in it. */
  readonly dataDir: string
  readonly db: Db
  readonly stores: DiskStores
  readonly regions: RegionDirectory
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: ComputeLimits
  readonly provider: HypervisorProvider
  readonly diskBytes: DiskBytes
  /**
   * Resolves a version or a definition (its latest there), by its id or as it is shared; throws GalleryImageNotFound,
   * checks the right to read or that it is shared.
   */
  readonly resolveImage: (
    reference: ImageReference,
    consumer: ImageConsumer,
    context: Pick<RequestContext, 'authorize'>,
  ) => Promise<ResolvedImage>
  /** VHDs in this server's own storage, as disks and images name them. */
  readonly blobs: {
    /** Throws unless it is a whole VHD of ours, and the caller may use it. */
    admit(uri: string, context: Pick<RequestContext, 'authorize' | 'baseUrl'>): Promise<FoundSource>
    /** One that was admitted before. */
    find(uri: string): Promise<FoundSource>
  }
  /** An application version (or its latest there) that a machine names; throws GalleryImageNotFound. */
  readonly resolveApplication: (
    reference: string,
    location: string,
    context: Pick<RequestContext, 'authorize'>,
  ) => Promise<ResolvedApplication>
  /** Throws where a machine may not name this version of an access profile. */
  readonly checkAccessProfile: (
    reference: string,
    use: AccessProfileUse,
    context: Pick<RequestContext, 'authorize'>,
  ) => Promise<void>
  /** A whole blob of this server that the caller has the right to; throws BlobTooLarge beyond `maximumBytes`. */
  readonly readBlob: (
    uri: string,
    maximumBytes: number,
    context: Pick<RequestContext, 'authorize' | 'baseUrl'>,
  ) => Promise<Uint8Array>
  /** A signed address at which a machine's serial log can be read. */
  readonly signSerialLog: (request: {
    readonly vmId: string
    readonly expiresMs: number
    readonly baseUrl: string
  }) => Promise<string>
  /** Serves the network of a machine's guest (see `VmSpec.serveNetwork`). Undefined: machines have no network card. */
  readonly serveNetwork?: ((vmId: string, cable: Duplex) => void) | undefined
  /** Asks for a sweep of the stores soon: something was let go of. */
  readonly requestSweep: () => void
}

/** A stored disk that must not be swept. */
export interface LiveRoot {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
}

/** The envelope member with what only the server knows; never shown, never taken from a request. */
export const factsMember = 'x-goldleaf'
export const virtualMachineType = 'Microsoft.Compute/virtualMachines'
export const diskType = 'Microsoft.Compute/disks'
export const snapshotType = 'Microsoft.Compute/snapshots'
export const diskTypes = [diskType, snapshotType] as const
