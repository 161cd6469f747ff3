import { readFile } from 'node:fs/promises'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { Problem } from '../base/problem.ts'

/** The configuration file: its members, and what is said of one that is wrong. */

const closed = <P extends Type.TProperties>(members: P) => Type.Object(members, { additionalProperties: false })
/** Like `closed`; each member may be left out. */
const options = <P extends Type.TProperties>(members: P) =>
  Type.Partial(Type.Object(members), { additionalProperties: false })
const optional = Type.Optional
const matching = (pattern: string) => Type.String({ pattern })
const word = Type.String({ minLength: 1 })
const count = Type.Integer({ minimum: 1, maximum: 1_000_000_000 })
const hostName = matching('^[A-Za-z0-9.:-]{1,253}$')
/** Without a port: that is the one by which the client came. */
const dnsName = matching('^[a-z0-9.-]{1,253}$')

const zoneSchema = closed({ name: matching('^[A-Za-z0-9-]{1,20}$'), folder: optional(word) })
const extendedLocationSchema = closed({ name: matching('^[A-Za-z][A-Za-z0-9]{1,39}$'), folder: optional(word) })
const regionSchema = closed({
  name: matching('^[a-z][a-z0-9]{1,39}$'),
  displayName: optional(matching('^[A-Za-z][A-Za-z0-9 ()-]{0,58}[A-Za-z0-9)]$')),
  folders: optional(Type.Array(word, { minItems: 1 })),
  zones: optional(Type.Union([Type.Integer({ minimum: 0, maximum: 3 }), Type.Array(zoneSchema, { maxItems: 3 })])),
  extendedLocations: optional(Type.Array(extendedLocationSchema)),
  pairedRegion: optional(word),
  geographyGroup: optional(word),
})
const issuerSchema = closed({
  issuer: word,
  audiences: Type.Array(word, { minItems: 1 }),
  tenantId: optional(matching('^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$')),
  jwksUri: optional(word),
  claims: optional(options({ objectId: word, appId: word, name: word, roles: word, groups: word })),
})
const fileSchema = options({
  listen: Type.String(),
  listenHttps: Type.String(),
  publicNames: Type.Array(hostName),
  regions: Type.Array(regionSchema, { minItems: 1 }),
  limits: options({
    profile: Type.Enum(['today', '2020', 'preview']),
    galleries: count,
    imageDefinitions: count,
    imageVersions: count,
    applications: count,
    applicationVersions: count,
    scripts: count,
    scriptVersions: count,
    accessProfiles: count,
    accessProfileVersions: count,
    replicas: count,
    artifactReplicas: count,
    diskSizeGiB: count,
    fullDiskSizeGiB: count,
    sharedSubscriptions: count,
    sharedTenants: count,
    virtualMachines: count,
    cores: count,
    disks: count,
    snapshots: count,
  }),
  accelerator: Type.Enum(['auto', 'kvm', 'tcg']),
  storageSuffixes: Type.Array(matching('^[a-z0-9.-]{1,200}$')),
  applicationTimeoutSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }),
  retryAfterSeconds: Type.Integer({ minimum: 0, maximum: 3_600 }),
  rateLimits: options({
    enforced: Type.Boolean(),
    subscriptionReads: count,
    subscriptionWrites: count,
    subscriptionDeletes: count,
  }),
  cloud: options({
    name: matching('^[A-Za-z][A-Za-z0-9]{0,63}$'),
    storageSuffix: hostName,
    hosts: options({ resourceManager: dnsName, login: dnsName, graph: dnsName, portal: dnsName }),
  }),
  providers: options({ registered: Type.Enum(['all', 'none']) }),
  keysFolder: word,
  keyVaults: Type.Array(matching('^[A-Za-z0-9.-]{1,253}$')),
  activityDays: Type.Integer({ minimum: 1, maximum: 3_650 }),
  logLevel: Type.Enum(['debug', 'info', 'warn', 'error', 'silent']),
  identity: options({ issuers: Type.Array(issuerSchema) }),
})
export type ConfigFile = Static<typeof fileSchema>
/** A region as the file has it. */
export type RegionEntry = Static<typeof regionSchema>

/** `ConfigurationInvalid`, naming the member as the file does: `regions[0].zones`. */
export function invalid(member: string, reason: string): Problem {
  return new Problem('invalid', 'ConfigurationInvalid', `The configuration's '${member}' ${reason}`, { target: member })
}

/** Throws ConfigurationInvalid for a file that cannot be read, is not JSON or has a member that is wrong. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw invalid('config', `file ${path} cannot be read (${code}). Check the path given with --config.`)
  }
  return parseConfigFile(text, path)
}

/** `/regions/0/zones` -> `regions[0].zones`, so that the message reads like the file. */
function memberOf(instancePath: string, last?: string): string {
  const parts = instancePath.split('/').slice(1)
  if (last !== undefined) parts.push(last)
  return parts.map((part, at) => (/^\d+$/.test(part) ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')
}

function parseConfigFile(text: string, path: string): ConfigFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    throw invalid('config', `file ${path} is not valid JSON (${reason}). Correct it and start again.`)
  }
  if (Value.Check(fileSchema, value)) return value
  const errors = Value.Errors(fileSchema, value)
  for (const error of errors) {
    if (error.keyword === 'additionalProperties') {
      const [name] = error.params.additionalProperties
      throw invalid(memberOf(error.instancePath, name), `is not known here. Remove it, or check its spelling.`)
    }
    if (error.keyword === 'required') {
      const [name] = error.params.requiredProperties
      throw invalid(memberOf(error.instancePath, name), 'is missing. Add it.')
    }
  }
  const [first] = errors
  const member = memberOf(first?.instancePath ?? '') || 'config'
  const allowed = first?.keyword === 'enum' ? `: ${first.params.allowedValues.join(', ')}` : ''
  throw invalid(member, `${first?.message ?? 'is not valid'}${allowed}. Correct it in ${path} and start again.`)
}
