import { access } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import type { JsonObject } from '../base/json.ts'
import { formatBytes } from '../base/units.ts'
import type { DiskFormat } from '../blocks/disk-image.ts'
import type { CliContext } from './context.ts'
import { versionPath } from './image-names.ts'
import type { VersionFlags } from './image-names.ts'
import { resolveVersion } from './image.ts'
import { connectToGallery } from './locate-gallery.ts'
import type { Unlocated } from './locate-gallery.ts'
import { cliProblems } from './problems.ts'
import { createProgress } from './progress.ts'

export interface PullFlags extends VersionFlags {
  readonly out: string
  readonly region?: string | undefined
  readonly format?: DiskFormat | undefined
  /** A data disk; absent: the OS disk. */
  readonly lun?: number | undefined
  readonly force?: boolean | undefined
}

const formats: Readonly<Record<string, DiskFormat>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vhd: 'vhd-fixed',
  'vhd-fixed': 'vhd-fixed',
  'vhd-dynamic': 'vhd-dynamic',
}

/** `--format`: raw, qcow2, vhd (fixed) or vhd-dynamic. */
export function parseFormat(text: string): DiskFormat {
  const found = formats[text.toLowerCase()]
  if (found === undefined)
    throw cliProblems.UsageWrong({ message: `'${text}' is no format. Choose raw, qcow2, vhd or vhd-dynamic.` })
  return found
}

/** A name that says its format needs no flag; anything else is raw. */
export function formatOf(file: string): DiskFormat {
  return formats[extname(file).slice(1).toLowerCase()] ?? 'raw'
}

/** Half a day: the largest disk over a slow line, and no address that lives on for long. */
const addressSeconds = 43_200

/** `goldleaf image pull`: fetches a disk of a version from one of its regions; every byte is checked on the way. */
export async function pullVersion(context: CliContext, typed: Unlocated<PullFlags>): Promise<void> {
  const out = resolve(context.cwd, typed.out)
  if (!typed.force && (await isThere(out))) throw cliProblems.FileExists({ file: typed.out })
  const { connection, flags } = await connectToGallery<PullFlags>(context, typed)
  const { signal } = context
  const version = await resolveVersion(connection, flags, flags.region, signal)
  const request: JsonObject = {
    access: 'Read',
    durationInSeconds: addressSeconds,
    format: 'raw',
    ...(flags.region === undefined ? {} : { region: flags.region }),
    ...(flags.lun === undefined ? {} : { lun: flags.lun }),
  }
  const path = `${versionPath(connection, { ...flags, version })}/beginGetAccess`
  const { accessSAS: address, region } = await connection.client.post(path, request, { signal })
  if (typeof address !== 'string') throw new Error('beginGetAccess answered no address')
  const { pullImage } = await import('./pull-image.ts')
  using progress = createProgress(context.err)
  const format = flags.format ?? formatOf(out)
  const pulled = await pullImage({
    address,
    out,
    format,
    transport: connection.http,
    onProgress: ({ bytesDone, bytesTotal, bytesSent }) =>
      progress.update('download', bytesTotal === 0 ? 1 : bytesDone / bytesTotal, `${formatBytes(bytesSent)} received`),
    signal,
    clock: context.clock,
  })
  progress.update('download', 1, `${formatBytes(pulled.progress.bytesSent)} received`)
  progress.stop()
  const size = formatBytes(pulled.virtualSizeBytes)
  context.err.write(
    `Wrote ${version} from ${typeof region === 'string' ? region : 'its region'}: ${size} as ${format}, every byte checked.\n`,
  )
  context.out.write(`${out}\n`)
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
