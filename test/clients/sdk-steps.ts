import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { after, before } from 'node:test'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { clientSuite } from './client-report.ts'
import { uploadVhd } from './uploads.ts'

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
  'galleries: delete with children below',
  'versions: delete',
  'images: delete',
  'galleries: delete',
  'resource group: delete',
] as const
export type SdkStep = (typeof sdkSteps)[number]

/** What a walk is told. Names of its own are all `sdk`. */
export interface WalkFacts {
  readonly server: RunningGoldleaf
  readonly vhdUri: string
}

/** A step's name and what went wrong in it. */
export type WalkLine = readonly [step: string, error: string | undefined]

/** Runs a walk against a server of its own; every step of `sdkSteps` must come and pass. */
export function sdkSuite(client: string, slug: string, walk: (facts: WalkFacts) => AsyncIterable<WalkLine>): void {
  clientSuite(client, slug, (step) => {
    let server: RunningGoldleaf
    const results = new Map<string, string | undefined>()
    before(async () => {
      server = await startGoldleaf()
      const vhdUri = await uploadVhd(server, 'sdkaccount', 'sdk.vhd')
      for await (const [name, error] of walk({ server, vhdUri })) results.set(name, error)
    })
    after(() => server[Symbol.asyncDispose]())
    for (const name of sdkSteps)
      step(name, async () => {
        assert.ok(results.has(name), `the walk ended before it: ${[...results].at(-1)?.join(' ') ?? 'nothing ran'}`)
        assert.equal(results.get(name), undefined)
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
  return async function* walk({ server: { env }, vhdUri }) {
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
