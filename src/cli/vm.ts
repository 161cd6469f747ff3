import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { resourcePath, subscriptionPath } from '../client/arm-path.ts'
import { parseResource } from '../client/resource-body.ts'
import { galleryImages } from '../contract/gallery-images.ts'
import { virtualMachines } from '../contract/virtual-machines.ts'
import { connect } from './connection.ts'
import type { Connection, ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import { ensureResourceGroup } from './ensure.ts'
import { versionPath } from './image-names.ts'
import { findGroupOf } from './locate-gallery.ts'
import { cliProblems } from './problems.ts'
import { formatTable } from './table.ts'

export interface VmFlags extends ConnectionFlags {
  readonly resourceGroup: string
}

export interface VmCreateFlags extends VmFlags {
  readonly location: string
  readonly gallery: string
  readonly definition: string
  /** `latest`: the VM names the definition, and the server chooses. */
  readonly version: string
  readonly size: string
  readonly adminUsername?: string | undefined
  readonly sshKeyFile?: string | undefined
  readonly customDataFile?: string | undefined
  /** Group of the gallery where it is another one. */
  readonly galleryResourceGroup?: string | undefined
}

export function vmPath({ subscriptionId }: Connection, flags: VmFlags, names: readonly string[]): string {
  return resourcePath(virtualMachines, { subscriptionId, resourceGroup: flags.resourceGroup }, names)
}

/** The body of `vm create`: a specialised image takes no osProfile, a generalised one needs it (behaviour.md E). */
export function vmBody(
  name: string,
  flags: Pick<VmCreateFlags, 'location' | 'size' | 'adminUsername'>,
  imageId: string,
  osState: unknown,
  files: { readonly sshKey?: string | undefined; readonly customData?: string | undefined },
): JsonObject {
  const { sshKey, customData } = files
  const { adminUsername = 'azureuser' } = flags
  const publicKeys = sshKey && [{ path: `/home/${adminUsername}/.ssh/authorized_keys`, keyData: sshKey.trim() }]
  const osProfile = {
    computerName: name.slice(0, 64),
    adminUsername,
    linuxConfiguration: { disablePasswordAuthentication: true, ...(publicKeys ? { ssh: { publicKeys } } : {}) },
    ...(customData === undefined ? {} : { customData: Buffer.from(customData).toString('base64') }),
  }
  return {
    location: flags.location,
    properties: {
      hardwareProfile: { vmSize: flags.size },
      storageProfile: {
        imageReference: { id: imageId },
        osDisk: { createOption: 'FromImage', deleteOption: 'Delete' },
      },
      ...(String(osState).toLowerCase() === 'specialized' ? {} : { osProfile }),
    },
  }
}

/** `goldleaf vm create NAME`: boots a version, or the definition's latest in the VM's region. */
export async function createVm(
  context: CliContext,
  name: string,
  flags: VmCreateFlags,
  readText: (path: string) => Promise<string>,
): Promise<void> {
  const connection = await connect(context, flags)
  const { client, subscriptionId } = connection
  const { signal } = context
  const found = flags.galleryResourceGroup ?? (await findGroupOf(connection, flags.gallery, signal))
  const home = { ...flags, resourceGroup: found ?? flags.resourceGroup }
  const place = { subscriptionId, resourceGroup: home.resourceGroup }
  const definitionId = resourcePath(galleryImages, place, [flags.gallery, flags.definition])
  const definition = parseResource(await client.get(definitionId, { signal }))
  const isLatest = flags.version.toLowerCase() === 'latest'
  const sshKey = flags.sshKeyFile === undefined ? undefined : await readText(flags.sshKeyFile)
  const customData = flags.customDataFile === undefined ? undefined : await readText(flags.customDataFile)
  const imageId = isLatest ? definitionId : versionPath(connection, home)
  const body = vmBody(name, flags, imageId, definition.properties['osState'], { sshKey, customData })
  await ensureResourceGroup(connection, flags.resourceGroup, flags.location, signal)
  context.err.write(`Creating ${name} in ${flags.location} from ${flags.definition} ${flags.version} ...\n`)
  const made = parseResource(await client.put(vmPath(connection, flags, [name]), body, { signal }))
  context.out.write(`${made.id}\n`)
}

/** `goldleaf vm list`: of the resource group, or of the subscription with --all. */
export async function listVms(context: CliContext, flags: VmFlags & { all?: boolean; json?: boolean }): Promise<void> {
  const connection = await connect(context, flags)
  const path = flags.all
    ? `${subscriptionPath(connection.subscriptionId)}/providers/${virtualMachines.type}`
    : vmPath(connection, flags, [])
  const found: JsonObject[] = []
  for await (const item of connection.client.list(path, { signal: context.signal })) found.push(item)
  if (flags.json) context.out.write(`${JSON.stringify(found, undefined, 2)}\n`)
  else context.out.write(formatTable(['name', 'group', 'location', 'state', 'image'], found.map(vmRow)))
}

function vmRow(item: JsonObject): readonly string[] {
  const { id, name, location = '', properties } = parseResource(item)
  const storage = properties['storageProfile']
  const reference = isJsonObject(storage) ? storage['imageReference'] : undefined
  const image = isJsonObject(reference) ? reference['id'] : undefined
  const version = isJsonObject(reference) ? reference['exactVersion'] : undefined
  const shown = typeof image === 'string' ? image.replace(/^.*\/galleries\//i, '') : ''
  return [
    name,
    id.split('/')[4] ?? '',
    location,
    properties.provisioningState ?? '',
    typeof version === 'string' && !/\/versions\//i.test(shown) ? `${shown} (${version})` : shown,
  ]
}

/** `goldleaf vm console NAME`: what the machine wrote to its serial port so far; with --follow until the signal. */
export async function showConsole(
  context: CliContext,
  name: string,
  flags: VmFlags & { follow?: boolean },
): Promise<void> {
  const connection = await connect(context, flags)
  const action = `${vmPath(connection, flags, [name])}/retrieveBootDiagnosticsData`
  const { serialConsoleLogBlobUri: uri } = await connection.client.post(action, undefined, { signal: context.signal })
  if (typeof uri !== 'string') throw cliProblems.ConsoleMissing({ name })
  let shown = ''
  for (;;) {
    const answer = await connection.http.call({ method: 'GET', url: uri, signal: context.signal })
    const text = await answer.text()
    if (answer.status !== 200) throw cliProblems.ConsoleMissing({ name })
    // The log may have been cut at its front or begun anew: then all of it is shown again.
    context.out.write(text.startsWith(shown) ? text.slice(shown.length) : text)
    shown = text
    if (!flags.follow) return
    await context.clock.sleep(1_000, context.signal)
  }
}

/** `goldleaf vm delete NAME`. Absent already is not an error. */
export async function deleteVm(context: CliContext, name: string, flags: VmFlags): Promise<void> {
  const connection = await connect(context, flags)
  await connection.client.delete(vmPath(connection, flags, [name]), { signal: context.signal })
  context.err.write(`Deleted ${name}.\n`)
}
