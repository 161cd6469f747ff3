import type { Command } from 'commander'
import { subscriptionPath } from '../client/arm-path.ts'
import { parseResource } from '../client/resource-body.ts'
import { galleries } from '../contract/galleries.ts'
import { connect } from './connection.ts'
import type { Connection, ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import type { GalleryFlags } from './image-names.ts'

/** A command with the flags by which a gallery is found. */
export function addGalleryCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('-g, --resource-group <name>', "the gallery's resource group (default: found by the gallery's name)")
    .requiredOption('--gallery <name>', 'gallery')
}

/** The group in which `--create` makes things where none is named. */
const defaultResourceGroup = 'goldleaf'

/** Flags as they were typed: the resource group may be left out. */
export type Unlocated<F extends GalleryFlags> = Omit<F, 'resourceGroup'> & {
  readonly resourceGroup?: string | undefined
}

/**
 * Connects, and finds the resource group of the gallery where it is not named: a gallery's name is unique in its
 * subscription (behaviour.md B1), so that the name alone is enough.
 */
export async function connectToGallery<F extends GalleryFlags>(
  context: CliContext,
  typed: Unlocated<F> & ConnectionFlags & { readonly gallery: string },
): Promise<{ readonly connection: Connection; readonly flags: F }> {
  const connection = await connect(context, typed)
  const resourceGroup = typed.resourceGroup ?? (await findGroupOf(connection, typed.gallery, context.signal))
  return { connection, flags: { ...typed, resourceGroup: resourceGroup ?? defaultResourceGroup } as unknown as F }
}

/** The resource group of the gallery of this name, in any of the subscription's groups. */
export async function findGroupOf(
  { client, subscriptionId }: Connection,
  gallery: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const wanted = gallery.toLowerCase()
  for await (const item of client.list(`${subscriptionPath(subscriptionId)}/providers/${galleries.type}`, { signal })) {
    const { id, name } = parseResource(item)
    // A list shows the group in upper case; ids are compared without regard to it, and people like what they typed.
    if (name.toLowerCase() === wanted) return (await client.find(id, { signal }).then(groupOf)) ?? id.split('/')[4]
  }
  return undefined
}

function groupOf(body: Parameters<typeof parseResource>[0] | undefined): string | undefined {
  return body && parseResource(body).id.split('/')[4]
}
