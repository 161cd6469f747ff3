import type { DiskFormat } from '../blocks/disk-image.ts'
import type { StorageClass } from '../store/disk-store.ts'

export interface UploadedBytes {
  readonly path: string
  readonly format: DiskFormat
  readonly virtualSizeBytes: number
}

/** A signed address and what takes it back. */
export interface SignedAddress {
  readonly url: string
  readonly grantId: string
  readonly expiresMs: number
}

interface AddressRequest {
  readonly key: string
  /** `scheme://host` as the client sees this server. */
  readonly baseUrl: string
  readonly expiresMs: number
}

/**
 * The byte side of disks and snapshots: the upload area, and signed addresses. Implemented by `transfer`. Keys are ours
 * (one for each upload that was ever begun), not the disks' ids: a disk of the same name may come again.
 */
export interface DiskBytes {
  /** Opens an upload of a VHD; `sizeBytes` is the whole file, footer included. Repeating it is fine. */
  createUpload(request: {
    readonly key: string
    readonly subscriptionId: string
    readonly sizeBytes: number
  }): Promise<unknown>
  writeAddress(request: AddressRequest): Promise<string>
  /** Ends the upload, takes its addresses back and checks the VHD; throws a Problem with the reason, and then the upload stays open. */
  finish(key: string): Promise<UploadedBytes>
  remove(key: string): Promise<void>
  /** An address at which a stored disk can be read as a fixed VHD. */
  signStoredDisk(request: {
    readonly region: string
    readonly storageClass: StorageClass
    readonly root: string
    readonly baseUrl: string
    readonly expiresMs: number
  }): Promise<SignedAddress>
  revokeGrant(grantId: string, expiresMs: number): Promise<void>
}
