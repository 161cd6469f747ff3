import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { isoImage } from '../blocks/iso9660.ts'
import type { Draft } from '../resources/resource.ts'
import { perBootScript } from './application-runner.ts'
import { vmProperties } from './vm-properties.ts'

/** What only a machine's first boot needs; kept beside its row until the seed is written, and never shown. */
export interface Provision {
  readonly adminPassword?: string | undefined
  /** Base64. */
  readonly customData?: string | undefined
}

/** Takes the secrets out of a draft: they go to the guest and nowhere else. */
export function takeSecrets(draft: Draft): { readonly draft: Draft; readonly provision: Provision } {
  const { osProfile } = draft.properties
  if (!isJsonObject(osProfile)) return { draft, provision: {} }
  const { adminPassword, customData, ...rest } = osProfile
  const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined)
  return {
    draft: { ...draft, properties: { ...draft.properties, osProfile: rest } },
    provision: { adminPassword: text(adminPassword), customData: text(customData) },
  }
}

/**
 * The NoCloud seed of a generalised machine (cloud-init's datasource for a volume `cidata`): its name and users as
 * vendor data, the client's custom data as user data, so that this can say otherwise. Undefined where there is no profile
 * to hand over, or the system is Windows.
 */
export function seedImage(vmId: string, vm: Pick<Draft, 'properties'>, provision: Provision): Buffer | undefined {
  const { osProfile, storageProfile, userData } = vmProperties(vm)
  if (!osProfile || storageProfile?.osDisk?.osType === 'Windows') return undefined
  const name = osProfile.computerName ?? `vm-${vmId.slice(0, 8)}`
  // As on Azure: custom data, and user data where there is none (cloud-init's DataSourceAzure).
  const custom = provision.customData ?? userData
  // JSON is YAML: nothing that a client wrote can end a line or open a new key.
  const cloudConfig = (config: JsonObject): Buffer => Buffer.from(`#cloud-config\n${JSON.stringify(config)}\n`)
  return isoImage('cidata', [
    { name: 'meta-data', bytes: Buffer.from(`${JSON.stringify({ 'instance-id': vmId, 'local-hostname': name })}\n`) },
    { name: 'vendor-data', bytes: cloudConfig({ ...usersOf(osProfile, provision), write_files: [perBootScript] }) },
    { name: 'user-data', bytes: custom === undefined ? cloudConfig({}) : Buffer.from(custom, 'base64') },
  ])
}

type OsProfile = NonNullable<ReturnType<typeof vmProperties>['osProfile']>

function usersOf(osProfile: OsProfile, { adminPassword }: Provision): JsonObject {
  const { adminUsername, linuxConfiguration } = osProfile
  if (adminUsername === undefined) return {}
  const keys = (linuxConfiguration?.ssh?.publicKeys ?? []).map(({ keyData }) => keyData)
  const allowsPassword = adminPassword !== undefined && linuxConfiguration?.disablePasswordAuthentication !== true
  const user: JsonObject = {
    name: adminUsername,
    gecos: 'Azure administrator',
    groups: ['adm', 'sudo', 'wheel'],
    sudo: 'ALL=(ALL) NOPASSWD:ALL',
    shell: '/bin/bash',
    lock_passwd: !allowsPassword,
    ...(allowsPassword ? { plain_text_passwd: adminPassword } : {}),
    ...(keys.length > 0 ? { ssh_authorized_keys: keys.flatMap((key) => (key === undefined ? [] : [key])) } : {}),
  }
  return { users: [user], ssh_pwauth: allowsPassword }
}
