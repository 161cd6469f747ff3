import type { Command } from 'commander'
import { resourcePath } from '../client/arm-path.ts'
import { parseResource } from '../client/resource-body.ts'
import { softDeletedVersions } from '../contract/soft-deleted-versions.ts'
import type { Connection } from './connection.ts'
import type { CliContext } from './context.ts'
import { definitionPath, versionPath } from './image-names.ts'
import type { ImageFlags, VersionFlags } from './image-names.ts'
import { addGalleryCommand, connectToGallery } from './locate-gallery.ts'
import type { Unlocated } from './locate-gallery.ts'
import { formatTable } from './table.ts'

interface ListFlags extends ImageFlags {
  readonly json?: boolean | undefined
}

interface DeletedProperties {
  readonly softDeletedTime?: string
  readonly hardDeletionTargetTime?: string
}

/** `goldleaf gallery recycle-bin …`: the versions that were deleted from a gallery with soft delete. */
export function addRecycleBinCommands(program: Command, context: CliContext): void {
  const gallery = program.commands.find((one) => one.name() === 'gallery') ?? program.command('gallery')
  if (gallery.description() === '') gallery.description('galleries')
  const bin = gallery.command('recycle-bin').description('deleted versions of an image: see, restore, remove for good')
  const add = (name: string, description: string): Command =>
    addGalleryCommand(bin, name, description).requiredOption('--definition <name>', 'image definition')
  add('list', 'list what can be restored, and until when')
    .option('--json', 'as the API shows it')
    .action((_flags, command: Command) => listDeleted(context, command.optsWithGlobals()))
  add('restore', 'bring a deleted version back as it was')
    .requiredOption('--version <version>', 'version')
    .action((_flags, command: Command) => restoreVersion(context, command.optsWithGlobals()))
  add('purge', 'remove a deleted version for good')
    .requiredOption('--version <version>', 'version')
    .action((_flags, command: Command) => purgeVersion(context, command.optsWithGlobals()))
}

function binPath({ subscriptionId }: Connection, flags: ImageFlags, version: readonly string[] = []): string {
  const place = { subscriptionId, resourceGroup: flags.resourceGroup }
  return resourcePath(softDeletedVersions, place, [flags.gallery, 'Images', flags.definition, ...version])
}

async function listDeleted(context: CliContext, typed: Unlocated<ListFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<ListFlags>(context, typed)
  const found = await Array.fromAsync(connection.client.list(binPath(connection, flags), { signal: context.signal }))
  if (flags.json) {
    context.out.write(`${JSON.stringify(found, undefined, 2)}\n`)
    return
  }
  const rows = found.map((item) => {
    const { name, location, properties } = parseResource<DeletedProperties>(item)
    return [name, location ?? '', properties.softDeletedTime ?? '', properties.hardDeletionTargetTime ?? '']
  })
  context.out.write(formatTable(['version', 'location', 'deleted', 'kept until'], rows))
}

async function restoreVersion(context: CliContext, typed: Unlocated<VersionFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<VersionFlags>(context, typed)
  const { client } = connection
  const { signal } = context
  const deleted = await client.find(binPath(connection, flags, [flags.version]), { signal })
  // Where it is not there the server says so: the definition's location is as good as any.
  const { location = '' } = parseResource(deleted ?? (await client.get(definitionPath(connection, flags), { signal })))
  await client.put(versionPath(connection, flags), { location, properties: { restore: true } }, { signal })
  context.err.write(`Restored ${flags.version}.\n`)
}

async function purgeVersion(context: CliContext, typed: Unlocated<VersionFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<VersionFlags>(context, typed)
  await connection.client.delete(binPath(connection, flags, [flags.version]), { signal: context.signal })
  context.err.write(`Removed ${flags.version} for good.\n`)
}
