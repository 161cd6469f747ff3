import { createHash } from 'node:crypto'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileHandle } from 'node:fs/promises'
import { MiB } from '../base/units.ts'
import { syncFolder } from '../blocks/replace-file.ts'
import type { DiskStores } from '../store/disk-store.ts'
import { installScript } from './application-runner.ts'
import { planDrive } from './fat32.ts'
import type { StoredFile, VmApplication } from './vm-applications.ts'

/** The read-only drive by which a machine gets its applications: their bytes, commands, a manifest, a program. */
interface Content {
  readonly name: string
  readonly from: Buffer | StoredFile
}

/** Names the drive by what is on it: another choice of applications is another file. */
export function driveName(applications: readonly VmApplication[]): string {
  return `applications-${digestOf(applications).toString('hex').slice(0, 16)}.img`
}

function digestOf(applications: readonly VmApplication[]): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([applications, installScript]))
    .digest()
}

/** Writes the drive, durable once resolved, whole or not at all. Every byte of a package is verified by its store. */
export async function writeDrive(
  path: string,
  applications: readonly VmApplication[],
  stores: DiskStores,
): Promise<void> {
  const contents = contentsOf(applications)
  const layout = planDrive(
    'GL-APPS',
    contents.map(({ name, from }) => ({ name, sizeBytes: sizeOf(from) })),
    // A guest sees by it that the drive is another.
    digestOf(applications).readUInt32LE(0),
  )
  const partial = `${path}.partial`
  const file = await open(partial, 'w', 0o600)
  try {
    await file.truncate(layout.sizeBytes)
    for (const { offset, bytes } of layout.structure) await file.write(bytes, 0, bytes.length, offset)
    for (const [index, { from }] of contents.entries())
      await writeContent(file, layout.offsets[index] ?? 0, from, stores)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(partial, path)
  await syncFolder(dirname(path))
}

const sizeOf = (from: Buffer | StoredFile): number => (Buffer.isBuffer(from) ? from.length : from.sizeBytes)

async function writeContent(
  file: FileHandle,
  offset: number,
  from: Buffer | StoredFile,
  stores: DiskStores,
): Promise<void> {
  if (Buffer.isBuffer(from)) {
    await file.write(from, 0, from.length, offset)
    return
  }
  await using disk = await stores.store(from.region, from.storageClass).open(from.root)
  for (let at = 0; at < from.sizeBytes; at += MiB) {
    const bytes = await disk.read(at, Math.min(MiB, from.sizeBytes - at))
    await file.write(bytes, 0, bytes.length, offset + at)
  }
}

function contentsOf(applications: readonly VmApplication[]): readonly Content[] {
  const text = (name: string, value: string): Content => ({ name, from: Buffer.from(value) })
  const numbered = applications.map((application, index) => ({ application, n: String(index + 1).padStart(2, '0') }))
  const own = numbered.flatMap(({ application, n }): Content[] => {
    const { name, version, packageName, configurationName, rerun, order, install, update, remove, configuration } =
      application
    const facts = [name, version, packageName, configurationName, rerun ? 'Rerun' : 'None', order ?? '']
    const command = (action: string, value: string | undefined): Content[] =>
      value === undefined ? [] : [text(`${n}-${action}`, `${value}\n`)]
    return [
      text(`${n}-info`, `${facts.join('\n')}\n`),
      ...command('install', install),
      ...command('update', update),
      ...command('remove', remove),
      { name: `${n}-package`, from: application.package },
      ...(configuration === undefined ? [] : [{ name: `${n}-config`, from: contentOf(configuration) }]),
    ]
  })
  return [
    text('install.sh', installScript),
    text('list', `${numbered.map(({ n }) => n).join('\n')}\n`),
    text('manifest.json', manifest(applications)),
    ...own,
  ]
}

const contentOf = (configuration: StoredFile | string): Buffer | StoredFile =>
  typeof configuration === 'string' ? Buffer.from(configuration, 'base64') : configuration

function manifest(applications: readonly VmApplication[]): string {
  const shown = applications.map(({ versionId, order, install, update, remove, ...rest }, index) => ({
    number: String(index + 1).padStart(2, '0'),
    versionId,
    ...(order === undefined ? {} : { order }),
    packageFileName: rest.packageName,
    packageBytes: rest.package.sizeBytes,
    ...(rest.configuration === undefined ? {} : { configFileName: rest.configurationName }),
    manageActions: { install, update, remove },
  }))
  return `${JSON.stringify({ applications: shown }, undefined, 2)}\n`
}
