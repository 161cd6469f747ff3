import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const node = process.execPath
const command = join(root, 'bin/goldleaf.ts')
/** Where `npm test` keeps a record (tools/test.ts): servers write down what they are asked and answer, all of it their problems. */
const isRecorded = process.env['GOLDLEAF_TRAFFIC'] !== undefined
const preload = (file: string): readonly string[] => (isRecorded ? ['--import', join(root, 'test', file)] : [])
const problemRecorder = preload('support/record-problems.ts')
const recorder = [...problemRecorder, ...preload('openapi/record-traffic.ts')]

export interface GoldleafEnvironment {
  readonly endpoint: string
  readonly httpEndpoint: string
  readonly caFile: string
  readonly tenantId: string
  readonly subscriptionId: string
  readonly clientId: string
  readonly clientSecret: string
}

/** A real `goldleaf serve` in a process of its own, as a user runs it. */
export interface RunningGoldleaf extends AsyncDisposable {
  readonly data: string
  readonly env: GoldleafEnvironment
  readonly token: string
  readonly process: ChildProcess
  /** What it logged so far. */
  log(): string
  /** SIGTERM, and waits for a graceful end. */
  stop(): Promise<number | null>
  /** SIGKILL: what a power cut or the OOM killer does to a process. */
  kill(): Promise<void>
}

export interface StartOptions {
  readonly data?: string
  readonly args?: readonly string[]
  /** What an earlier start on the same folder learnt: saves two processes a start where there are many. */
  readonly earlier?: Pick<RunningGoldleaf, 'env' | 'token'>
}

/** Starts a server on free ports; waits for its ready line. Its folder is removed at the end unless it was given. */
export async function startGoldleaf(options: StartOptions = {}): Promise<RunningGoldleaf> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'goldleaf-test-')))
  const args = [...recorder, command, 'serve', '--data', data, '--listen', '127.0.0.1:0', ...(options.args ?? [])]
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-200_000)))
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)))
  const { httpEndpoint, endpoint } = await readyLine(child, () => log)
  const { earlier } = options
  const env = earlier ? { ...earlier.env, httpEndpoint, endpoint } : await readEnvironment(data)
  const token = earlier?.token ?? (await runGoldleaf(['token', '--data', data])).stdout.trim()
  await trust(env.caFile)
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return ended
  }
  return {
    data,
    env,
    token,
    process: child,
    log: () => log,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    async [Symbol.asyncDispose]() {
      await end('SIGTERM')
      if (options.data === undefined) await rm(data, { recursive: true, force: true })
    },
  }
}

async function readEnvironment(data: string): Promise<GoldleafEnvironment> {
  return JSON.parse((await runGoldleaf(['env', '--data', data, '--json'])).stdout) as GoldleafEnvironment
}

type Endpoints = Pick<GoldleafEnvironment, 'httpEndpoint' | 'endpoint'>

async function readyLine(child: ChildProcess, log: () => string): Promise<Endpoints> {
  let text = ''
  return new Promise<Endpoints>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const ready = /^goldleaf ready http=(\S+) https=(\S+) data=\S+/m.exec(text)
      if (ready) resolve({ httpEndpoint: ready[1] ?? '', endpoint: ready[2] ?? '' })
    })
    child.on('exit', (code) => reject(new Error(`goldleaf serve ended with ${code} before it was ready:\n${log()}`)))
  })
}

/** Runs one `goldleaf` command to its end; rejects when it exits with another code than 0. */
export async function runGoldleaf(
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return run(node, [...problemRecorder, command, ...args], { maxBuffer: 64 * 1024 * 1024, cwd: root })
}

/** Lets this process's https clients trust a server's own certificate authority. */
async function trust(caFile: string): Promise<void> {
  const ca = await readFile(caFile, 'utf8')
  const known = tls.getCACertificates('default')
  if (!known.includes(ca)) tls.setDefaultCACertificates([...known, ca])
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: ArmDocument
}

export interface ArmError {
  readonly code: string
  readonly message: string
  readonly target?: string
}

/** The members of ARM's documents that tests look at; everything is optional, as on any wire. */
export interface ArmDocument {
  readonly id?: string
  readonly name?: string
  readonly type?: string
  readonly location?: string
  readonly etag?: string
  readonly managedBy?: string
  readonly status?: string
  readonly startTime?: string
  readonly endTime?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly error?: ArmError
  readonly properties?: ArmProperties
  readonly value?: readonly ArmDocument[]
  readonly nextLink?: string
  readonly accessSAS?: string
  readonly root?: string
  readonly latestVersionName?: string
  readonly passedOver?: readonly { readonly name: string; readonly reason: string }[]
  readonly replicas?: readonly VerifiedReplica[]
  readonly statuses?: readonly { readonly code: string }[]
  readonly serialConsoleLogBlobUri?: string
}

export interface VerifiedReplica {
  readonly region: string
  readonly lun: number
  readonly framesChecked: number
  readonly bytesChecked: number
  readonly repaired: number
  readonly lost: readonly number[]
}

export interface ArmProperties {
  readonly provisioningState?: string
  readonly publishingProfile?: {
    readonly targetRegions?: readonly {
      readonly name: string
      readonly regionalReplicaCount?: number
      readonly storageAccountType?: string
      readonly excludeFromLatest?: boolean
    }[]
    readonly replicaCount?: number
    readonly publishedDate?: string
    readonly endOfLifeDate?: string
    readonly excludeFromLatest?: boolean
  }
  readonly storageProfile?: {
    readonly osDiskImage?: { readonly sizeInGB?: number; readonly hostCaching?: string }
    readonly dataDiskImages?: readonly {
      readonly lun: number
      readonly sizeInGB?: number
      readonly hostCaching?: string
    }[]
    readonly imageReference?: { readonly id?: string; readonly exactVersion?: string }
  }
  readonly replicationStatus?: {
    readonly aggregatedState: string
    readonly summary: readonly {
      readonly region: string
      readonly state: string
      readonly progress: number
      readonly details?: string
    }[]
  }
  readonly diskState?: string
  readonly hyperVGeneration?: string
  readonly architecture?: string
  readonly identifier?: { readonly uniqueName?: string }
  readonly description?: string
}

/** Raw ARM requests with a token, over plain HTTP. */
export function armCaller(server: Pick<RunningGoldleaf, 'env' | 'token'>) {
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const url = path.startsWith('http') ? path : server.env.httpEndpoint + path
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${server.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as ArmDocument,
    }
  }
  /** Follows an operation to its end; answers the operation's final document. */
  const settle = async (started: Answer, timeoutMs = 120_000): Promise<ArmDocument> => {
    const url = started.headers.get('azure-asyncoperation')
    assert.ok(url, `no Azure-AsyncOperation header: ${started.status} ${JSON.stringify(started.body)}`)
    return eventually(async () => {
      const { body } = await call('GET', url)
      assert.notEqual(body.status, 'InProgress')
      return body
    }, timeoutMs)
  }
  /** A write that must succeed, operation and all. */
  const must = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const started = await call(method, path, body)
    assert.ok(started.status < 300, `${method} ${path}: ${started.status} ${JSON.stringify(started.body)}`)
    if (started.headers.get('azure-asyncoperation')) {
      const done = await settle(started)
      assert.equal(done.status, 'Succeeded', JSON.stringify(done))
    }
    return started
  }
  return { call, settle, must }
}

/** Waits for a check to hold; throws its last error at the deadline. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = 30_000, everyMs = 100): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;)
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(everyMs)
    }
}
