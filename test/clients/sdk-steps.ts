import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { after, before } from 'node:test'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { clientSuite } from './client-report.ts'
import { operationsNotCalled } from './gallery-operations.ts'
import { uploadPackage, uploadVhd } from './uploads.ts'

/** The walk that every SDK takes, each in its own language; the names are the rows of docs/compatibility.md. */
export const sdkSteps = [
  'sign in and create a resource group',
  'galleries: create',
  'galleries: get',
  'galleries: list by resource group',
  'galleries: list',
  'galleries: update',
  'images: create',
  'images: get',
  'images: list by gallery',
  'images: update',
  'images: change what may not change',
  'versions: create from a VHD in two regions',
  'versions: get with ReplicationStatus',
  'versions: create from another version',
  'versions: list by image',
  'versions: update',
  'snapshots: create, get, list, delete',
  'disks: create from the image, get, list, delete',
  'applications: create',
  'applications: update',
  'applications: get',
  'applications: list by gallery',
  'application versions: create',
  'application versions: get with ReplicationStatus',
  'application versions: list by application',
  'application versions: update',
  'application versions: delete',
  'applications: delete',
  'sharing: add a subscription',
  'shared galleries: list, get',
  'shared images: list, get',
  'shared versions: list, get',
  'invites: reject, accept',
  'tenant-level invites: reject, accept',
  'sharing: reset',
  'community: enable',
  'community galleries: get',
  'community images: list, get',
  'community versions: list, get',
  'community: reset',
  'scripts: create, get, list, update',
  'script versions: create, get, list, update',
  'script versions, scripts: delete',
  'access profiles: create, get, list, update',
  'access profile versions: create, get, list, update',
  'access profile versions, access profiles: delete',
  'soft-deleted versions: list, restore',
  'galleries: delete with children below',
  'versions: delete',
  'images: delete',
  'galleries: delete',
  'resource group: delete',
] as const
export type SdkStep = (typeof sdkSteps)[number]

/** Steps that only an SDK of this api-version of galleries, or a later one, can take. */
const since: Partial<Record<SdkStep, string>> = {
  'invites: reject, accept': '2025-12-03',
  'tenant-level invites: reject, accept': '2025-12-03',
  'scripts: create, get, list, update': '2025-03-03',
  'script versions: create, get, list, update': '2025-03-03',
  'script versions, scripts: delete': '2025-03-03',
  'access profiles: create, get, list, update': '2024-03-03',
  'access profile versions: create, get, list, update': '2024-03-03',
  'access profile versions, access profiles: delete': '2024-03-03',
  'soft-deleted versions: list, restore': '2024-03-03',
}

/** What a walk is told. Names of its own are all `sdk`. */
export interface WalkFacts {
  readonly server: RunningGoldleaf
  readonly vhdUri: string
  readonly packageUri: string
  /** Whether this SDK has what the step calls. */
  readonly has: (step: SdkStep) => boolean
}

/** An SDK: its name, that of its file in docs/clients, and the api-version in which it asks for galleries. */
export interface Sdk {
  readonly client: string
  readonly slug: string
  readonly apiVersion: string
}

/** A step's name and what went wrong in it. */
export type WalkLine = readonly [step: string, error: string | undefined]

/** Runs a walk against a server of its own; every step that the SDK has must come and pass, and call all that it has. */
export function sdkSuite({ client, slug, apiVersion }: Sdk, walk: (facts: WalkFacts) => AsyncIterable<WalkLine>): void {
  const traffic = process.env['GOLDLEAF_TRAFFIC']
  clientSuite(client, slug, (step) => {
    let server: RunningGoldleaf
    const results = new Map<string, string | undefined>()
    const has = (name: SdkStep): boolean => (since[name] ?? '') <= apiVersion
    before(async () => {
      server = await startGoldleaf()
      const vhdUri = await uploadVhd(server, 'sdkaccount', 'sdk.vhd')
      const packageUri = await uploadPackage(server, 'sdkaccount', 'tool.tar')
      for await (const [name, error] of walk({ server, vhdUri, packageUri, has })) results.set(name, error)
    })
    after(() => server?.[Symbol.asyncDispose]())
    for (const name of sdkSteps)
      step(name, async () => {
        if (!has(name)) return 'not in this SDK'
        assert.ok(results.has(name), `the walk ended before it: ${[...results].at(-1)?.join(' ') ?? 'nothing ran'}`)
        assert.equal(results.get(name), undefined)
        return undefined
      })
    step(`every operation of galleries ${apiVersion} was called`, async () => {
      assert.ok(traffic, 'nothing was recorded: run it by `npm run test:clients`')
      assert.deepEqual(operationsNotCalled(traffic, server.process.pid ?? 0, apiVersion), [])
    })
  })
}

/**
 * A walk that is a program: it is told where the server is by its environment and prints `ok NAME` or
 * `fail NAME: reason`, a line a step.
 */
export function programWalk(
  command: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): (facts: WalkFacts) => AsyncGenerator<WalkLine> {
  return async function* walk({ server: { env }, vhdUri, packageUri }) {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: '/usr/bin:/bin',
        HOME: process.env['HOME'] ?? '/tmp',
        ENDPOINT: env.endpoint,
        TENANT: env.tenantId,
        SUBSCRIPTION: env.subscriptionId,
        CLIENT_ID: env.clientId,
        CLIENT_SECRET: env.clientSecret,
        VHD_URI: vhdUri,
        PACKAGE_URI: packageUri,
        // For Python and for Go.
        REQUESTS_CA_BUNDLE: env.caFile,
        SSL_CERT_FILE: env.caFile,
        ...more,
      },
    })
    let noise = ''
    child.stderr.on('data', (chunk: Buffer) => (noise = (noise + chunk.toString()).slice(-4_000)))
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    for await (const line of createInterface({ input: child.stdout })) {
      const [, ok, failed, reason = ''] = /^(?:ok (.+)|fail ([^\t]+)\t(.*))$/.exec(line) ?? []
      if (ok !== undefined) yield [ok, undefined]
      else if (failed !== undefined) yield [failed, reason]
      else noise += `${line}\n`
    }
    assert.equal(await ended, 0, noise)
  }
}
