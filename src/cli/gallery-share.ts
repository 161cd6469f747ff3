import type { Command } from 'commander'
import type { JsonObject } from '../base/json.ts'
import { parseResource } from '../client/resource-body.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import type { CliContext } from './context.ts'
import { galleryPath } from './image-names.ts'
import type { GalleryFlags } from './image-names.ts'
import { addGalleryCommand, connectToGallery } from './locate-gallery.ts'
import type { Unlocated } from './locate-gallery.ts'
import { cliProblems } from './problems.ts'
import { formatTable } from './table.ts'

interface ShareFlags extends GalleryFlags {
  readonly subscriptionIds?: readonly string[] | undefined
  readonly tenantIds?: readonly string[] | undefined
}

interface ListFlags extends GalleryFlags {
  readonly json?: boolean | undefined
}

type Operation = 'Add' | 'Remove' | 'Reset' | 'EnableCommunity'

/** `goldleaf gallery share …`, with the flags of `az sig share`. */
export function addGalleryCommands(program: Command, context: CliContext): void {
  const gallery = program.commands.find((one) => one.name() === 'gallery') ?? program.command('gallery')
  const share = gallery.command('share').description('share a gallery with subscriptions, tenants or everyone')
  const add = (name: string, description: string): Command => addGalleryCommand(share, name, description)
  const addGroups = (name: string, description: string, operation: Operation): void => {
    add(name, description)
      .option('--subscription-ids <ids...>', 'subscriptions')
      .option('--tenant-ids <ids...>', 'tenants: every subscription of theirs')
      .action((_flags, command: Command) => updateSharing(context, operation, command.optsWithGlobals()))
  }
  addGroups('add', 'share a gallery that was made with permissions Groups', 'Add')
  addGroups('remove', 'share it with these no more', 'Remove')
  add('reset', 'share it with nobody; it becomes private').action((_flags, command: Command) =>
    updateSharing(context, 'Reset', command.optsWithGlobals()),
  )
  add('enable-community', 'share a gallery that was made with permissions Community with everyone').action(
    (_flags, command: Command) => updateSharing(context, 'EnableCommunity', command.optsWithGlobals()),
  )
  add('list', 'with whom a gallery is shared, and where that stands')
    .option('--json', 'as the API shows it')
    .action((_flags, command: Command) => listSharing(context, command.optsWithGlobals()))
}

async function updateSharing(context: CliContext, operation: Operation, typed: Unlocated<ShareFlags>): Promise<void> {
  const groups = groupsOf(operation, typed)
  const { connection, flags } = await connectToGallery<ShareFlags>(context, typed)
  const body: JsonObject = { operationType: operation, ...(groups === undefined ? {} : { groups }) }
  await connection.client.post(`${galleryPath(connection, flags)}/share`, body, { signal: context.signal })
  context.err.write(`Gallery ${flags.gallery}: ${operation} done.\n`)
}

function groupsOf(operation: Operation, typed: Unlocated<ShareFlags>): JsonObject['groups'] {
  if (operation !== 'Add' && operation !== 'Remove') return undefined
  const { subscriptionIds = [], tenantIds = [] } = typed
  const groups = [
    ...(subscriptionIds.length > 0 ? [{ type: 'Subscriptions', ids: subscriptionIds }] : []),
    ...(tenantIds.length > 0 ? [{ type: 'AADTenants', ids: tenantIds }] : []),
  ]
  if (groups.length === 0)
    throw cliProblems.UsageWrong({ message: 'Name with whom: --subscription-ids ID..., --tenant-ids ID..., or both.' })
  return groups
}

async function listSharing(context: CliContext, typed: Unlocated<ListFlags>): Promise<void> {
  const { connection, flags } = await connectToGallery<ListFlags>(context, typed)
  const query = { $expand: 'SharingProfile/Groups' }
  const body = await connection.client.get(galleryPath(connection, flags), { query, signal: context.signal })
  const { sharingProfile = {}, sharingStatus } = parseResource<GalleryProperties>(body).properties
  if (flags.json) {
    context.out.write(`${JSON.stringify({ sharingProfile, sharingStatus }, undefined, 2)}\n`)
    return
  }
  const { permissions = 'Private', groups = [], communityGalleryInfo: info } = sharingProfile
  const rows = groups.flatMap(({ type = '', ids = [] }) => ids.map((id) => [type, id]))
  const publicNames = info?.communityGalleryEnabled === true ? (info.publicNames ?? []) : []
  context.out.write(formatTable(['shared', 'with'], [...rows, ...publicNames.map((name) => ['Community', name])]))
  const state = sharingStatus?.aggregatedState
  context.err.write(`Permissions: ${permissions}${state === undefined ? '' : `; published: ${state}`}.\n`)
}
