import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../base/logger.ts'
import { DiskMissing } from '../store/errors.ts'
import { isPlaceClass } from '../store/vault.ts'
import type { DiskStores, StorageClass, StoredDisk } from '../store/disk-store.ts'
import type { AddressSigner } from './address-signer.ts'
import { openFileBytes } from './file-bytes.ts'
import { sendPageList } from './page-list.ts'
import { transferProblems } from './problems.ts'
import { sendBytes } from './readable-bytes.ts'
import { rawTargetOf } from './request-facts.ts'
import { storedDiskBytes } from './stored-disk-bytes.ts'

export interface DiskRouteDeps {
  readonly logger: Logger
  readonly signer: AddressSigner
  readonly stores: DiskStores
  readonly findLog: (name: string) => Promise<{ readonly path: string } | undefined>
}

/** A stored disk as addresses name it. */
export interface DiskName {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
}

/** What a signed address of a disk permits: reading this one disk, as a file or by frames. */
export function diskThing({ region, storageClass, root }: DiskName): string {
  return `disk/${region}/${storageClass}/${root}`
}

/** A signed address at which the disk's bytes can be read. */
export function signDiskAddress(
  signer: AddressSigner,
  disk: DiskName,
  request: { readonly format: 'raw' | 'vhd'; readonly expiresMs: number; readonly baseUrl: string },
): { readonly uri: string; readonly grantId: string } {
  const { query, grantId } = signer.issue(diskThing(disk), 'read', request.expiresMs)
  const path = `/disk/${disk.region}/${disk.storageClass}/${disk.root}.${request.format}`
  return { uri: `${request.baseUrl}${path}?${query}`, grantId }
}

/** A signed address of a text file that `findLog` knows by this name. */
export function signLogAddress(
  signer: AddressSigner,
  name: string,
  request: { readonly expiresMs: number; readonly baseUrl: string },
): { readonly uri: string; readonly grantId: string } {
  const { query, grantId } = signer.issue(`log/${name}`, 'read', request.expiresMs)
  return { uri: `${request.baseUrl}/log/${encodeURIComponent(name)}?${query}`, grantId }
}

/** `/disk/{region}/{class}/{root}.{raw|vhd}` and `/log/{name}`: GET and HEAD of signed addresses. */
export function registerDiskRoutes(scope: FastifyInstance, deps: DiskRouteDeps): void {
  scope.route({
    method: ['GET', 'HEAD'],
    url: '/disk/*',
    handler: async (request, reply) => {
      await serveDisk(request, reply, deps)
      return reply
    },
  })
  scope.route({
    method: ['GET', 'HEAD'],
    url: '/log/*',
    handler: async (request, reply) => {
      await serveLog(request, reply, deps)
      return reply
    },
  })
}

async function serveDisk(request: FastifyRequest, reply: FastifyReply, deps: DiskRouteDeps): Promise<void> {
  const { segments, query } = rawTargetOf(request)
  const [, region = '', storageClass = '', file = ''] = segments
  const match = /^([0-9a-f]{64})\.(raw|vhd)$/.exec(file)
  if (!match || segments.length > 4) throw transferProblems.DiskNotFound({ name: file.slice(0, 80) })
  const name = parseDiskName(region, storageClass, match[1] ?? '')
  await deps.signer.check(diskThing(name), 'read', query)
  const disk = await openDisk(deps.stores, name)
  await using source = storedDiskBytes(disk, match[2] === 'raw' ? 'raw' : 'vhd')
  const operation = query.get('comp') ?? ''
  if (operation === 'pagelist') return await sendPageList(request, reply, source, query, deps.logger)
  if (operation !== '') throw transferProblems.UnsupportedOperation({ operation: `GET comp=${operation.slice(0, 40)}` })
  await sendBytes(request, reply, source, deps.logger)
}

async function serveLog(request: FastifyRequest, reply: FastifyReply, deps: DiskRouteDeps): Promise<void> {
  const { segments, query } = rawTargetOf(request)
  const name = segments.slice(1).join('/')
  await deps.signer.check(`log/${name}`, 'read', query)
  const found = await deps.findLog(name)
  const facts = { name, contentType: 'text/plain; charset=utf-8', headers: { 'x-ms-blob-type': 'AppendBlob' } }
  if (!found) throw transferProblems.BlobNotFound({ name })
  await using source = await openFileBytes(found.path, facts).catch((error: unknown) => {
    throw transferProblems.BlobNotFound({ name }, { cause: error })
  })
  await sendBytes(request, reply, source, deps.logger)
}

export function parseDiskName(region: string, storageClass: string, root: string): DiskName {
  if (!/^[0-9a-f]{64}$/.test(root) || !isPlaceClass(storageClass)) throw transferProblems.DiskNotFound({ name: root })
  return { region, storageClass, root }
}

/** Throws DiskNotFound where the store does not have it (any more). */
export async function openDisk(stores: DiskStores, { region, storageClass, root }: DiskName): Promise<StoredDisk> {
  try {
    return await stores.store(region, storageClass).open(root)
  } catch (error) {
    if (error instanceof DiskMissing) throw transferProblems.DiskNotFound({ name: root }, { cause: error })
    throw error
  }
}
