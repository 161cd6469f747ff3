import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { checkAzureVhd } from '../blocks/check-azure-vhd.ts'
import type { DiskFormat, DiskImage } from '../blocks/disk-image.ts'
import { blockProblems } from '../blocks/problems.ts'
import type { Db } from '../db/tables.ts'
import type { DiskStores, StorageClass } from '../store/disk-store.ts'
import { createAddressSigner, type AddressSigner } from './address-signer.ts'
import { parseBlobName } from './blob-names.ts'
import { signDiskAddress } from './disk-routes.ts'
import { deleteContainers, listBlobIds } from './container.rows.ts'
import { transferProblems } from './problems.ts'
import { createPushSessions, type PushSessions } from './push-sessions.ts'
import { createUploadArea, type UploadArea, type UploadLimits } from './upload-area.ts'
import { findUpload, findUploadByAddress } from './upload.rows.ts'

export interface OpenTransferOptions {
  /** The server's data folder; `uploads` is made in it. */
  readonly dataDir: string
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  /** At least 32 bytes, kept over restarts. */
  readonly key: Uint8Array
  readonly stores: DiskStores
  /** `openDiskImage` of src/blocks, with the server's limit of disk sizes. */
  readonly openDiskImage: (path: string, options: { readonly name: string }) => Promise<DiskImage>
  readonly limits?: Partial<UploadLimits> | undefined
  /** The account that a host like `account.blob.core.windows.net` means here; undefined: it is not ours. */
  readonly findAccountOfHost?: ((host: string) => Promise<string | undefined>) | undefined
}

/** The parts of the data plane, without their routes (`registerTransfer`). */
export interface Transfer {
  readonly signer: AddressSigner
  readonly area: UploadArea
  readonly pushes: PushSessions
  /** The byte side of disks as src/compute/disk-bytes.ts wants it. */
  readonly diskBytes: DiskBytes
  /**
   * What `osDiskImage.source.uri` means: a blob or a push of ours, opened to see that it is whole. `baseUrls`: under
   * which `scheme://host[:port]` clients reach this server. Anything else throws with the reason.
   */
  findBlob(uri: string, baseUrls: readonly string[]): Promise<FoundBlob>
  /** What a package's or script's link means: any whole blob of ours, as a file. */
  findFile(uri: string, baseUrls: readonly string[]): Promise<FoundFile>
  /** Removes containers and blobs of an account that goes. */
  removeAccount(account: string): Promise<void>
  /** Removes what was abandoned. */
  sweep(nowMs: number): Promise<void>
}

export interface FoundBlob {
  readonly place:
    | { readonly kind: 'file'; readonly path: string; readonly format: DiskFormat | undefined }
    | { readonly kind: 'stored'; readonly region: string; readonly storageClass: StorageClass; readonly root: string }
  readonly virtualSizeBytes: number
  /** Whose it is: the caller must have the right to it. */
  readonly subscriptionId: string
}

export interface FoundFile {
  readonly path: string
  readonly sizeBytes: number
  readonly subscriptionId: string
}

/** Matches compute's `DiskBytes` in structure. */
export interface DiskBytes extends Pick<
  UploadArea,
  'createUpload' | 'writeAddress' | 'readAddress' | 'finish' | 'describe' | 'revoke' | 'remove'
> {
  signStoredDisk(request: {
    readonly region: string
    readonly storageClass: StorageClass
    readonly root: string
    readonly baseUrl: string
    readonly expiresMs: number
  }): Promise<{ readonly url: string; readonly grantId: string; readonly expiresMs: number }>
  revokeGrant(grantId: string, expiresMs: number): Promise<void>
}

export async function openTransfer(options: OpenTransferOptions): Promise<Transfer> {
  const { db, clock, stores } = options
  const signer = createAddressSigner({ key: options.key, db, clock })
  const area = await createUploadArea({ ...options, signer })
  const pushes = createPushSessions({ db, clock, area, stores })
  return {
    signer,
    area,
    pushes,
    diskBytes: {
      ...area,
      async signStoredDisk({ baseUrl, expiresMs, ...disk }) {
        const { uri, grantId } = signDiskAddress(signer, disk, { format: 'vhd', expiresMs, baseUrl })
        return { url: uri, grantId, expiresMs }
      },
      revokeGrant: (grantId, expiresMs) => signer.revoke(grantId, expiresMs),
    },
    findBlob: (uri, baseUrls) => findBlob(uri, baseUrls, options, area),
    findFile: (uri, baseUrls) => findFile(uri, baseUrls, options, area),
    async removeAccount(account) {
      await deleteContainers(db, account)
      for (const id of await listBlobIds(db, `${account}/`)) await area.removeUpload(id)
    },
    async sweep(nowMs) {
      await area.sweepUploads(nowMs)
      await pushes.sweep()
    },
  }
}

async function findBlob(
  uri: string,
  baseUrls: readonly string[],
  { db, openDiskImage, findAccountOfHost }: OpenTransferOptions,
  area: UploadArea,
): Promise<FoundBlob> {
  const where = await readSourceUri(uri, baseUrls, findAccountOfHost)
  if (where.kind === 'push') {
    const push = await findUpload(db, where.id)
    if (push?.kind !== 'push') throw transferProblems.BlobNotFound({ name: where.id })
    const { root, region, storageClass, sizeBytes: virtualSizeBytes, subscriptionId } = push
    if (push.state !== 'complete' || !root || !region || !storageClass)
      throw transferProblems.UploadOpen({ name: where.id })
    return { place: { kind: 'stored', region, storageClass, root }, virtualSizeBytes, subscriptionId }
  }
  const upload = await findUploadByAddress(db, 'blob', where.address)
  if (!upload || upload.state !== 'complete') throw transferProblems.BlobNotFound({ name: where.name })
  const path = area.files.dataPath(upload.id)
  await using image = await openDiskImage(path, { name: where.name })
  const { format, virtualSizeBytes } = image
  // What looks raw is a VHD that lost its footer: published as it is, it would be another disk than its owner's.
  if (format === 'raw') throw blockProblems.VhdCookieMissing({ name: where.name, blob: uri.split('?', 1)[0] ?? uri })
  checkAzureVhd(image, { name: where.name })
  return { place: { kind: 'file', path, format }, virtualSizeBytes, subscriptionId: upload.subscriptionId }
}

async function findFile(
  uri: string,
  baseUrls: readonly string[],
  { db, findAccountOfHost }: OpenTransferOptions,
  area: UploadArea,
): Promise<FoundFile> {
  const where = await readSourceUri(uri, baseUrls, findAccountOfHost)
  if (where.kind === 'push') throw transferProblems.SourceUriInvalid({ reason: 'a push holds a disk, not a file.' })
  const upload = await findUploadByAddress(db, 'blob', where.address)
  if (!upload || upload.state !== 'complete')
    throw transferProblems.SourceFileNotFound({ uri: uri.split('?', 1)[0] ?? uri })
  const { sizeBytes, subscriptionId } = upload
  return { path: area.files.dataPath(upload.id), sizeBytes, subscriptionId }
}

/** `https://account.blob.suffix/container/blob` of an account of ours is the same blob as under this server's address. */
async function readSourceUri(
  uri: string,
  baseUrls: readonly string[],
  find: OpenTransferOptions['findAccountOfHost'],
): Promise<SourceUri> {
  const url = URL.parse(uri)
  const account = url && (await find?.(url.host))
  const base = baseUrls[0]
  if (!url || account === undefined || base === undefined) return parseSourceUri(uri, baseUrls)
  return parseSourceUri(`${new URL(base).origin}/blob/${account}${url.pathname}`, baseUrls)
}

type SourceUri =
  | { readonly kind: 'push'; readonly id: string }
  | { readonly kind: 'blob'; readonly address: string; readonly name: string }

/** Only our own addresses: fetching others' would make this server a proxy into whatever network it stands in. */
function parseSourceUri(uri: string, baseUrls: readonly string[]): SourceUri {
  const url = URL.parse(uri)
  if (!url) throw transferProblems.SourceUriInvalid({ reason: 'it is not an absolute address.' })
  const isOurs = baseUrls.some((base) => URL.parse(base)?.origin === url.origin)
  if (!isOurs) throw transferProblems.SourceUriNotSupported({ host: url.host })
  const push = /^\/goldleaf\/v1\/pushes\/([0-9a-f-]{36})$/.exec(url.pathname)
  if (push?.[1]) return { kind: 'push', id: push[1] }
  const [, area, account, container, ...rest] = url.pathname.split('/')
  if (area !== 'blob' || !account || !container || rest.length === 0)
    throw transferProblems.SourceUriInvalid({
      reason: 'it is not a /blob/{account}/{container}/{blob} or push address.',
    })
  const decoded = decodeSegments([account, container, ...rest])
  const [accountName = '', containerName = '', ...blob] = decoded
  const name = parseBlobName(accountName, containerName, blob.join('/'))
  return { kind: 'blob', address: name.address, name: name.blob }
}

function decodeSegments(segments: readonly string[]): string[] {
  try {
    return segments.map(decodeURIComponent)
  } catch {
    throw transferProblems.SourceUriInvalid({ reason: 'it is badly percent-encoded.' })
  }
}
