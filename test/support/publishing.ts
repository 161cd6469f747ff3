import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { runHere } from '../../src/cli/run-cli.fixture.ts'
import type { CliResult } from '../../src/cli/run-cli.fixture.ts'
import { uploadBlob } from './blobs.ts'
import { armCaller } from './goldleaf.ts'
import type { Answer, ArmDocument, RunningGoldleaf } from './goldleaf.ts'

type Server = Pick<RunningGoldleaf, 'data' | 'env' | 'token'>

const apiVersion = 'api-version=2023-07-03'

export interface TargetRegion {
  readonly name: string
  readonly storageAccountType: 'Standard_LRS' | 'Standard_ZRS' | 'Premium_LRS'
}

/** Makes resource group, gallery and definition of one name; answers the definition's id. */
export async function createDefinition(server: Server, name: string): Promise<string> {
  const arm = armCaller(server)
  const group = `/subscriptions/${server.env.subscriptionId}/resourceGroups/${name}`
  await arm.must('PUT', `${group}?api-version=2021-04-01`, { location: 'westeurope' })
  const gallery = `${group}/providers/Microsoft.Compute/galleries/${name}`
  await arm.must('PUT', `${gallery}?${apiVersion}`, { location: 'westeurope' })
  await arm.must('PUT', `${gallery}/images/${name}?${apiVersion}`, {
    location: 'westeurope',
    properties: {
      osType: 'Linux',
      osState: 'Specialized',
      identifier: { publisher: 'p', offer: 'o', sku: name },
    },
  })
  return `${gallery}/images/${name}`
}

/** Puts a file into the upload area in one PUT; answers the blob's address. */
export async function putBlob(server: Server, name: string, file: string): Promise<string> {
  return uploadBlob(server, `tests/disks/${name}`, await openAsBlob(file))
}

export async function deleteBlob(server: Server, url: string): Promise<number> {
  const response = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${server.token}` } })
  await response.arrayBuffer()
  return response.status
}

/** A managed disk of an uploaded VHD, in the region of the version that is made of it; answers its id. */
export async function uploadDisk(server: Server, name: string, file: string, location = 'westeurope'): Promise<string> {
  const arm = armCaller(server)
  const group = `/subscriptions/${server.env.subscriptionId}/resourceGroups/${name}`
  await arm.must('PUT', `${group}?api-version=2021-04-01`, { location: 'westeurope' })
  const id = `${group}/providers/Microsoft.Compute/disks/${name}`
  const disks = 'api-version=2024-03-02'
  await arm.must('PUT', `${id}?${disks}`, {
    location,
    properties: { osType: 'Linux', creationData: { createOption: 'Upload', uploadSizeBytes: (await stat(file)).size } },
  })
  const granted = await arm.must('POST', `${id}/beginGetAccess?${disks}`, { access: 'Write', durationInSeconds: 3600 })
  const { body } = granted.body.accessSAS === undefined ? await finalAnswer(server, granted) : granted
  const response = await fetch(overHttp(server, body.accessSAS ?? ''), { method: 'PUT', body: await openAsBlob(file) })
  assert.equal(response.status, 201, await response.text())
  await arm.must('POST', `${id}/endGetAccess?${disks}`)
  return id
}

async function finalAnswer(server: Server, started: Answer): Promise<Answer> {
  return armCaller(server).call('GET', started.headers.get('location') ?? '')
}

/** The PUT body of a version; the first region is its own. */
export function versionBody(
  source: { readonly uri: string } | { readonly id: string } | undefined,
  targetRegions: readonly TargetRegion[],
): object {
  return {
    location: targetRegions[0]?.name,
    properties: {
      storageProfile: source === undefined ? {} : { osDiskImage: { source } },
      publishingProfile: { targetRegions },
      safetyProfile: { allowDeletionOfReplicatedLocations: true },
    },
  }
}

export const lrs = (...names: readonly string[]): TargetRegion[] =>
  names.map((name) => ({ name, storageAccountType: 'Standard_LRS' }))
export const zrs = (...names: readonly string[]): TargetRegion[] =>
  names.map((name) => ({ name, storageAccountType: 'Standard_ZRS' }))

/** PUTs a version without waiting; `publish` waits and wants success. */
export function startPublishing(server: Server, id: string, body: object): Promise<Answer> {
  return armCaller(server).call('PUT', `${id}?${apiVersion}`, body)
}

export async function publish(server: Server, id: string, body: object): Promise<void> {
  await armCaller(server).must('PUT', `${id}?${apiVersion}`, body)
}

/** A version with its replication. */
export async function showVersion(server: Server, id: string): Promise<ArmDocument> {
  const { status, body } = await armCaller(server).call('GET', `${id}?$expand=ReplicationStatus&${apiVersion}`)
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

/** Runs a `goldleaf` command in this process against the server of a data folder. */
export function cli(server: Pick<Server, 'data'>, ...args: readonly string[]): Promise<CliResult> {
  return runHere(['--data', server.data, ...args])
}

export interface Verified {
  readonly region: string
  readonly state: string
  readonly framesChecked: number
  readonly repaired: number
  readonly repairedFrom?: readonly string[]
  readonly lost: readonly number[]
  readonly details?: string
}

/** `goldleaf image verify --json` of a version of `createDefinition`. */
export async function verifyVersion(
  server: Pick<Server, 'data'>,
  name: string,
  version: string,
): Promise<CliResult & { readonly replicas: readonly Verified[] }> {
  const where = ['-g', name, '--gallery', name, '--definition', name, '--version', version]
  const done = await cli(server, 'image', 'verify', ...where, '--json')
  const { replicas } = JSON.parse(done.out || '{"replicas":[]}') as { readonly replicas: readonly Verified[] }
  return { ...done, replicas }
}

function overHttp(server: Server, address: string): string {
  return address.replace(server.env.endpoint, server.env.httpEndpoint)
}

/** A signed address of a replica's bytes, over plain HTTP. */
export async function addressOf(
  server: Server,
  versionId: string,
  region: string,
  format: 'raw' | 'vhd' = 'raw',
): Promise<string> {
  const { status, body } = await armCaller(server).call('POST', `${versionId}/beginGetAccess?api-version=2025-03-03`, {
    access: 'Read',
    durationInSeconds: 600,
    region,
    format,
  })
  assert.equal(status, 200, JSON.stringify(body))
  return overHttp(server, body.accessSAS ?? '')
}

export interface Download {
  /** Every byte that came was right; asserted, not answered. */
  readonly bytes: number
  readonly isWhole: boolean
}

/**
 * Downloads a replica and compares each byte that arrives with the file that went in: a server may break off or refuse,
 * it may never send anything else.
 */
export async function downloadLike(
  server: Server,
  versionId: string,
  region: string,
  original: string,
): Promise<Download> {
  const address = await addressOf(server, versionId, region)
  // The connection may be cut before anything was answered.
  const response = await fetch(address).catch(() => undefined)
  if (response?.status !== 200) {
    await response?.arrayBuffer()
    return { bytes: 0, isWhole: false }
  }
  await using file = await open(original)
  const { size } = await file.stat()
  let at = 0
  try {
    for await (const chunk of response.body ?? []) {
      const got = Buffer.from(chunk)
      const want = Buffer.alloc(got.length)
      await file.read(want, 0, want.length, at)
      assert.ok(want.equals(got), `wrong bytes were served near ${at} in ${region}`)
      at += got.length
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return { bytes: at, isWhole: false }
  }
  assert.ok(at <= size, 'more bytes than the disk has')
  return { bytes: at, isWhole: at === size }
}

/** SHA-256 of what a signed address answers, whole or in a range. */
export async function sha256OfAnswer(
  address: string,
  range?: string,
): Promise<{ readonly status: number; readonly sha256: string; readonly bytes: number }> {
  const response = await fetch(address, range === undefined ? {} : { headers: { range } })
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { status: response.status, sha256: hash.digest('hex'), bytes }
}
