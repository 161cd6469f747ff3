import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uploadBlob } from '../support/blobs.ts'
import { armCaller, startGoldleaf } from '../support/goldleaf.ts'
import type { Answer, RunningGoldleaf, StartOptions } from '../support/goldleaf.ts'

export const galleryVersion = '2024-03-03'
export const diskVersion = '2024-03-02'
export const vmVersion = '2024-07-01'
export const groupVersion = '2021-04-01'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined }
export type Body = Readonly<Record<string, Json | undefined>>

/** A server of its own with one resource group, and the few calls that every wire test makes. */
export interface Wire extends AsyncDisposable {
  readonly server: RunningGoldleaf
  readonly arm: ReturnType<typeof armCaller>
  readonly folder: string
  /** `/subscriptions/{id}` */
  readonly subscription: string
  /** The group `wire`. */
  readonly group: string
  /** Address of something of Microsoft.Compute in the group: `galleries/g`. */
  at(path: string, apiVersion?: string, query?: string): string
  /** Its id: the address without query. */
  id(path: string): string
  gallery(name: string): Promise<void>
  definition(path: string, properties?: Body): Promise<void>
  /** Uploads bytes as a block blob and answers their address, as a version's source names it. */
  blob(name: string, bytes: Uint8Array): Promise<string>
  /** Publishes a version from a blob and waits for its end. */
  publish(path: string, uri: string, profile?: Body): Promise<Answer>
  /** Everything there is, with the moments of its last change: equal before and after means that nothing changed. */
  everything(): Promise<unknown>
}

export const storageAccount =
  '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wire/providers/Microsoft.Storage/storageAccounts/wire'

/** The body of a version whose OS disk is a blob. */
export function versionBody(uri: string, profile: Body = {}, more: Body = {}): Body {
  return {
    location: 'westeurope',
    properties: {
      storageProfile: { osDiskImage: { source: { uri, storageAccountId: storageAccount } } },
      publishingProfile: { targetRegions: [{ name: 'West Europe' }], ...profile },
      ...more,
    },
  }
}

export function definitionBody(name: string, properties: Body = {}): Body {
  return {
    location: 'westeurope',
    properties: {
      osType: 'Linux',
      osState: 'Specialized',
      hyperVGeneration: 'V1',
      identifier: { publisher: 'goldleaf', offer: 'wire', sku: name },
      ...properties,
    },
  }
}

export async function openWire(options: StartOptions = {}): Promise<Wire> {
  const server = await startGoldleaf(options)
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-wire-'))
  const arm = armCaller(server)
  const subscription = `/subscriptions/${server.env.subscriptionId}`
  const group = `${subscription}/resourceGroups/wire`
  const id = (path: string): string => `${group}/providers/Microsoft.Compute/${path}`
  const at = (path: string, apiVersion = galleryVersion, query = ''): string =>
    `${id(path)}?api-version=${apiVersion}${query}`
  const made = await arm.call('PUT', `${group}?api-version=${groupVersion}`, { location: 'westeurope' })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  return {
    server,
    arm,
    folder,
    subscription,
    group,
    at,
    id,
    gallery: async (name) => void (await arm.must('PUT', at(`galleries/${name}`), { location: 'westeurope' })),
    async definition(path, properties) {
      const [gallery = '', name = ''] = path.split('/')
      await arm.must('PUT', at(`galleries/${gallery}/images/${name}`), definitionBody(name, properties))
    },
    blob: (name, bytes) => uploadBlob(server, `wire/vhds/${name}`, bytes),
    async publish(path, uri, profile) {
      const [gallery = '', image = '', version = ''] = path.split('/')
      const address = at(`galleries/${gallery}/images/${image}/versions/${version}`)
      return arm.must('PUT', address, versionBody(uri, profile))
    },
    async everything() {
      const expand = '$expand=createdTime,changedTime,provisioningState'
      const lists = [`resources?api-version=${groupVersion}&${expand}`, `resourceGroups?api-version=${groupVersion}`]
      const all: unknown[] = []
      for (const list of lists) {
        const { status, body } = await arm.call('GET', `${subscription}/${list}`)
        assert.equal(status, 200, JSON.stringify(body))
        assert.equal(body.nextLink, undefined, 'one page holds what a test makes')
        all.push(body.value)
      }
      return all
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** One request that must be refused, and what Azure says to it. */
export interface Refusal {
  /** Said when it fails, where the test's name does not. */
  readonly why?: string
  readonly method?: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly code: string
  readonly says: string | RegExp
  readonly target?: string
}

/** Sends it and compares status, code, message and target; proves by the list of everything that nothing changed. */
export async function assertRefused(wire: Wire, one: Refusal): Promise<void> {
  const before = await wire.everything()
  const { status, body, headers } = await wire.arm.call(one.method ?? 'PUT', one.path, one.body, one.headers ?? {})
  const told = `${one.why ?? ''} ${JSON.stringify(body)}`
  assert.equal(body.error?.code, one.code, told)
  assert.equal(status, one.status, told)
  if (typeof one.says === 'string') assert.equal(body.error?.message, one.says)
  else assert.match(body.error?.message ?? '', one.says)
  if (one.target !== undefined) assert.equal(body.error?.target, one.target, told)
  assert.match(headers.get('content-type') ?? '', /^application\/json/)
  assert.match(headers.get('x-ms-request-id') ?? '', /^[0-9a-f-]{36}$/)
  assert.deepEqual(Object.keys(body), ['error'])
  assert.deepEqual(await wire.everything(), before, 'nothing changed')
}
