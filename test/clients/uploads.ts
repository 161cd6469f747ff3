import { uploadBlob } from '../support/blobs.ts'
import { seededBytes } from '../support/disks.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { fixedVhd } from '../wire/vhd.ts'

const MiB = 1024 * 1024

/** A small fixed VHD of seeded bytes in the upload area; answers its address. */
export function uploadVhd(server: RunningGoldleaf, account: string, name: string): Promise<string> {
  return uploadBlob(
    server,
    `${account}/walk/${name}`,
    fixedVhd(Buffer.concat([seededBytes(245)(MiB), Buffer.alloc(3 * MiB)])),
    server.env.endpoint,
  )
}

/** Some bytes that stand for an application's package. */
export function uploadPackage(server: RunningGoldleaf, account: string, name: string): Promise<string> {
  return uploadBlob(server, `${account}/walk/${name}`, seededBytes(246)(100_000), server.env.endpoint)
}
