import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { RunningGoldleaf } from '../support/goldleaf.ts'

/** One installed az: Debian's own on this system, or another in a chroot. */
export interface AzInstallation {
  readonly version: string
  /** Root folder of a chroot that has it; undefined: this system. */
  readonly chroot?: string
  /** What its authority is: 2.45 can only be told not to ask the public cloud by the ADFS form (CLIENTS.md). */
  readonly authority: 'adfs' | 'plain'
  /** The option of `az login` that takes a program's certificate: `-p` until 2.66. */
  readonly certificateOption: '-p' | '--certificate'
  /** Whether its gallery commands are generated of the API's models (`aaz`). */
  readonly isGenerated: boolean
  /** Whether `--no-wait` of image versions sends anything at all: 2.74 exits with 0 before it does (CLIENTS.md). */
  readonly noWaitSends: boolean
}

export interface AzResult {
  readonly code: number
  /** Parsed output; undefined where there is none. */
  readonly json: unknown
  readonly stdout: string
  readonly stderr: string
}

/** The real az with a configuration folder of its own, pointed at one server. */
export interface Az extends AsyncDisposable {
  /** Runs it; must exit with 0. Answers its output, parsed from JSON. */
  run(...args: readonly string[]): Promise<AzDocument>
  /** Runs it to its end, whatever that is. */
  attempt(...args: readonly string[]): Promise<AzResult>
  /** Runs it; the server must refuse, and az must say so in these words. */
  refused(says: RegExp, ...args: readonly string[]): Promise<void>
  /** What was run so far, but for what ended in an error that nobody expected. */
  readonly calls: readonly (readonly string[])[]
  /** Every command of these groups with its options, each by all its names: what this az's parser takes. */
  options(...groups: readonly string[]): Promise<Readonly<Record<string, readonly (readonly string[])[]>>>
  /** Runs it with all that it has to say to a person, and hands over each line of that as it comes. */
  converse(onLine: (line: string) => void, ...args: readonly string[]): Promise<AzResult>
  /** Writes a file that az can read; answers the name to give it. */
  file(name: string, text: string): Promise<string>
}

/** What tests look at in az's answers: any member, checked where it is used. */
// oxlint-disable-next-line typescript/no-explicit-any -- az's answers have the shape of the whole of Azure
export type AzDocument = any

const timeoutMs = 300_000

/** How az is told of a cloud: every address in a file, or the one from which it finds the others. */
export type Registration = 'file' | 'address'

/** `hosts`: names that this az alone finds at 127.0.0.1. Takes root, as every az in a chroot does. */
export async function openAz(
  installation: AzInstallation,
  server: Pick<RunningGoldleaf, 'env'>,
  registration: Registration = 'file',
  hosts: readonly string[] = [],
): Promise<Az> {
  const inside = await mkdtemp(
    join(installation.chroot === undefined ? tmpdir() : join(installation.chroot, 'tmp'), 'az-'),
  )
  const seen = installation.chroot === undefined ? inside : inside.slice(installation.chroot.length)
  await mkdir(join(inside, 'config'))
  await copyFile(server.env.caFile, join(inside, 'ca.pem'))
  await writeFile(join(inside, 'hosts'), `127.0.0.1 localhost ${hosts.join(' ')}\n`)
  const hostsFile = hosts.length > 0 ? join(inside, 'hosts') : undefined
  const environment = {
    PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: seen,
    LANG: 'C.UTF-8',
    AZURE_CONFIG_DIR: `${seen}/config`,
    REQUESTS_CA_BUNDLE: `${seen}/ca.pem`,
    AZURE_CORE_COLLECT_TELEMETRY: '0',
    AZURE_CORE_NO_COLOR: '1',
    AZURE_CORE_DISABLE_CONFIRM_PROMPT: '1',
    // `az role` of Debian 12 fails without it: see the file.
    ...(installation.chroot === undefined ? { PYTHONPATH: join(import.meta.dirname, 'az-2.45-shim') } : {}),
  }
  const execute = (command: string, args: readonly string[], onLine?: (line: string) => void): Promise<AzResult> =>
    new Promise((resolve) => {
      const options = { env: environment, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }
      const [program = '', ...rest] = [...commandOf(installation, command, hostsFile), ...args]
      const child = execFile(program, rest, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, json: parse(stdout), stdout, stderr })
      })
      if (onLine && child.stderr) createInterface(child.stderr).on('line', onLine)
    })
  const calls: (readonly string[])[] = []
  const attempt = async (...args: readonly string[]): Promise<AzResult> => {
    const result = await execute('az', [...args, '--only-show-errors', '-o', 'json'])
    if (result.code === 0) calls.push(args)
    return result
  }
  const az: Az = {
    attempt,
    calls,
    async converse(onLine, ...args) {
      const result = await execute('az', [...args, '-o', 'json'], onLine)
      if (result.code === 0) calls.push(args)
      return result
    },
    async run(...args) {
      const { code, json, stdout, stderr } = await attempt(...args)
      assert.equal(code, 0, `az ${args.join(' ')}\n${stderr}${stdout}`)
      return json as AzDocument
    },
    async refused(says, ...args) {
      const { code, stdout, stderr } = await attempt(...args)
      assert.notEqual(code, 0, `az ${args.join(' ')}\n${stdout}`)
      assert.match(stderr, says)
      calls.push(args)
    },
    async options(...groups) {
      const script = await az.file('options.py', await readFile(join(import.meta.dirname, 'az-options.py'), 'utf8'))
      const { code, stdout, stderr } = await execute('/usr/bin/python3', [script, ...groups])
      assert.equal(code, 0, stderr)
      const lines = stdout.split('\n').filter((line) => line !== '')
      return Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, string[][]]))
    },
    async file(name, text) {
      await writeFile(join(inside, name), text)
      return `${seen}/${name}`
    },
    async [Symbol.asyncDispose]() {
      await rm(inside, { recursive: true, force: true })
    },
  }
  await registerCloud(az, installation, server, registration)
  return az
}

/** In a chroot az wants /proc. What is mounted is seen by this one process only, so that nothing is left behind. */
function commandOf({ chroot }: AzInstallation, command: string, hostsFile: string | undefined): readonly string[] {
  if (chroot === undefined && hostsFile === undefined) return [command]
  const steps = [
    ...(hostsFile === undefined ? [] : [`mount --bind '${hostsFile}' "$0/etc/hosts"`]),
    ...(chroot === undefined ? ['exec "$@"'] : ['mount -t proc proc "$0/proc"', 'exec chroot "$0" "$@"']),
  ]
  return ['unshare', '-m', 'sh', '-c', steps.join(' && '), chroot ?? '', command]
}

async function registerCloud(
  az: Az,
  { authority }: AzInstallation,
  { env }: Pick<RunningGoldleaf, 'env'>,
  registration: Registration,
): Promise<void> {
  const base = env.endpoint
  if (authority === 'plain') await az.run('config', 'set', 'core.instance_discovery=false')
  if (registration === 'address') {
    await az.run('cloud', 'register', '-n', 'Goldleaf', '--endpoint-resource-manager', base)
    return void (await az.run('cloud', 'set', '-n', 'Goldleaf'))
  }
  const endpoints = {
    resourceManager: base,
    activeDirectory: authority === 'adfs' ? `${base}/adfs` : base,
    activeDirectoryResourceId: base,
    activeDirectoryGraphResourceId: base,
    microsoftGraphResourceId: `${base}/`,
    management: base,
    gallery: base,
  }
  const suffixes = { storageEndpoint: 'blob.goldleaf.local', keyvaultDns: '.vault.goldleaf.local' }
  const file = await az.file('cloud.json', JSON.stringify({ endpoints, suffixes }))
  await az.run('cloud', 'register', '-n', 'Goldleaf', '--cloud-config', `@${file}`)
  await az.run('cloud', 'set', '-n', 'Goldleaf')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
