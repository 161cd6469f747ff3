import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { Clock } from '../base/clock.ts'
import type { Directory } from '../directory/directory.ts'
import { findAudience } from '../identity/resource.ts'
import type { ReportSignIn } from '../identity/sign-in-report.ts'
import { armAudience, type TokenSigner } from '../identity/token.ts'
import type { Resource } from '../resources/resource.ts'
import { readIdentity } from './identity-facts.ts'

export interface MetadataRequest {
  readonly method: string
  /** `/metadata/identity/oauth2/token`, without its query. */
  readonly path: string
  readonly query: URLSearchParams
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Addresses of this server, which stand for Azure Resource Manager. */
  readonly ownAddresses: readonly string[]
  /** Undefined: it had none. */
  readonly body?: string | undefined
}

export interface MetadataAnswer {
  readonly status: number
  readonly body: Json
}

/** A machine as the metadata service knows it. */
export interface Machine {
  readonly vm: Resource
  readonly vmId: string
  readonly tenantId: string
}

export interface MetadataDependencies {
  readonly directory: Pick<Directory, 'findObject'>
  readonly signer: TokenSigner
  readonly clock: Clock
  /** Told of every token that a machine gets. */
  readonly onSignIn?: ReportSignIn | undefined
  /** Takes what a guest's installer says of an application. Undefined: nobody reports here. */
  readonly takeReport?: ((vmId: string, query: URLSearchParams, text: string) => Promise<boolean>) | undefined
}

const tokenVersions = [
  '2018-02-01',
  '2018-04-02',
  '2018-10-01',
  '2019-02-01',
  '2019-03-11',
  '2019-04-30',
  '2019-06-01',
  '2019-06-04',
  '2019-08-01',
  '2019-08-15',
  '2019-11-01',
  '2020-06-01',
  '2020-07-15',
  '2020-09-01',
  '2020-10-01',
  '2020-12-01',
  '2021-01-01',
  '2021-02-01',
  '2021-03-01',
  '2021-05-01',
  '2021-10-01',
  '2021-11-01',
  '2021-11-15',
  '2021-12-13',
  '2023-07-01',
  '2023-11-15',
  '2025-04-07',
]

/** Ours: where install.sh of a machine's applications reports (src/compute/application-runner.ts). */
const reportPath = '/metadata/goldleaf/applications'

/** What the instance metadata service answers to a machine, or to its developer. */
export async function answerMetadata(
  request: MetadataRequest,
  machine: Machine | undefined,
  deps: MetadataDependencies,
): Promise<MetadataAnswer> {
  const { headers, method, path, query } = request
  if (headers['metadata']?.toLowerCase() !== 'true')
    return refusal(400, 'invalid_request', 'Required metadata header not specified')
  if (headers['x-forwarded-for'] !== undefined)
    return refusal(
      400,
      'invalid_request',
      'The request has the header X-Forwarded-For: proxies may not ask. Ask from inside.',
    )
  const place = path.toLowerCase().replace(/\/+$/, '')
  if (method === 'POST' && place === reportPath && machine && deps.takeReport)
    return (await deps.takeReport(machine.vmId, query, request.body ?? ''))
      ? { status: 200, body: '' }
      : refusal(400, 'invalid_request', 'This is no report of an application.')
  if (method !== 'GET') return refusal(405, 'method_not_allowed', `The method ${method} is not allowed. Use GET.`)
  if (!machine) return refusal(410, 'gone', 'The virtual machine is no longer there.')
  if (place === '/metadata/versions') return { status: 200, body: { apiVersions: tokenVersions } }
  const version = query.get('api-version')
  if (version === null) return refusal(400, 'invalid_request', "Required query variable 'api-version' is missing")
  if (!tokenVersions.includes(version))
    return refusal(
      400,
      'invalid_request',
      `The api-version '${version.slice(0, 40)}' is not supported. The newest is ${tokenVersions.at(-1)}.`,
    )
  if (place === '/metadata/identity/oauth2/token') return answerToken(request, machine, deps)
  const instance = /^\/metadata\/instance(\/.*)?$/.exec(place)
  if (instance) return answerInstance(machine, instance[1] ?? '')
  return refusal(404, 'not_found', `Nothing is served at '${path.slice(0, 200)}'.`)
}

async function answerToken(
  { query, ownAddresses }: MetadataRequest,
  machine: Machine,
  deps: MetadataDependencies,
): Promise<MetadataAnswer> {
  const resource = query.get('resource')
  if (resource === null || resource === '')
    return refusal(400, 'invalid_request', "Required query variable 'resource' is missing")
  const chosen = choosePrincipal(machine, query)
  if ('refused' in chosen) return refusal(400, 'invalid_request', chosen.refused)
  const principal = await deps.directory.findObject(machine.tenantId, chosen.principalId)
  if (principal?.kind !== 'servicePrincipal' || !principal.accountEnabled)
    return refusal(400, 'invalid_request', 'Identity not found')
  // In a guest no address of this server is known: there only Azure's own names count.
  const addresses = ownAddresses.length === 0 ? [armAudience] : ownAddresses
  const audience = addresses.map((address) => findAudience(resource, address)).find((one) => one !== undefined)
  if (audience === undefined)
    return refusal(
      400,
      'invalid_resource',
      `AADSTS500011: The resource principal named ${resource.slice(0, 200)} was not found in the tenant. Ask for ${armAudience}.`,
    )
  const { objectId, tenantId, appId } = principal
  const subject = { objectId, tenantId, appId, kind: 'managedIdentity', resourceId: chosen.resourceId } as const
  const { token, notBeforeSeconds, expiresSeconds } = await deps.signer.sign(subject, audience)
  deps.onSignIn?.({ tenantId, objectId, appId, name: appId, grant: 'managed_identity' })
  const lifetime = String(expiresSeconds - Math.floor(deps.clock.now() / 1000))
  return {
    status: 200,
    body: {
      access_token: token,
      client_id: appId,
      expires_in: lifetime,
      expires_on: String(expiresSeconds),
      ext_expires_in: lifetime,
      not_before: String(notBeforeSeconds),
      resource,
      token_type: 'Bearer',
    },
  }
}

type Chosen = { readonly principalId: string; readonly resourceId: string } | { readonly refused: string }

/** The identity that the request names by one of its ids; without one the machine's own, or the only one that it has. */
function choosePrincipal({ vm }: Machine, query: URLSearchParams): Chosen {
  const { hasSystem, principalId, users } = readIdentity(vm.envelope)
  const system = hasSystem && principalId !== undefined ? [{ principalId, clientId: undefined, resourceId: vm.id }] : []
  const all = [
    ...system,
    ...users.flatMap((one) =>
      one.principalId === undefined
        ? []
        : [{ principalId: one.principalId, clientId: one.clientId, resourceId: one.id }],
    ),
  ]
  const asked = (names: readonly string[]): string | undefined =>
    names.map((name) => query.get(name)?.toLowerCase()).find((value) => value !== undefined && value !== '')
  const clientId = asked(['client_id'])
  const objectId = asked(['object_id', 'principal_id'])
  const resourceId = asked(['mi_res_id', 'msi_res_id'])
  const isNamed = clientId !== undefined || objectId !== undefined || resourceId !== undefined
  const found = all.filter(
    (one) =>
      (clientId === undefined || one.clientId === clientId) &&
      (objectId === undefined || one.principalId === objectId) &&
      (resourceId === undefined || one.resourceId.toLowerCase() === resourceId),
  )
  const [first] = isNamed || system.length === 0 ? found : system
  if (!first) return { refused: 'Identity not found' }
  if (!isNamed && system.length === 0 && found.length > 1)
    return {
      refused:
        'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
    }
  return first
}

/** `/metadata/instance`, or a part of it: `/compute/vmId`. */
function answerInstance(machine: Machine, part: string): MetadataAnswer {
  let found: Json | undefined = describeInstance(machine)
  for (const step of part.split('/').filter((one) => one !== '')) {
    const members: JsonObject = isJsonObject(found) ? found : {}
    const name = Object.keys(members).find((one) => one.toLowerCase() === step)
    found = name === undefined ? undefined : members[name]
  }
  return found === undefined ? refusal(404, 'not_found', 'There is no such part.') : { status: 200, body: found }
}

function describeInstance({ vm, vmId }: Machine): JsonObject {
  const { hardwareProfile, osProfile, storageProfile } = vm.properties
  const member = (object: unknown, name: string): string => {
    const value = isJsonObject(object) ? object[name] : undefined
    return typeof value === 'string' ? value : ''
  }
  const osDisk = isJsonObject(storageProfile) ? storageProfile['osDisk'] : undefined
  const tags = Object.entries(vm.tags ?? {}).map(([name, value]) => ({ name, value }))
  const { zones } = vm.envelope
  return {
    compute: {
      azEnvironment: 'AzurePublicCloud',
      location: vm.location,
      name: vm.name,
      osProfile: { adminUsername: member(osProfile, 'adminUsername'), computerName: member(osProfile, 'computerName') },
      osType: member(osDisk, 'osType'),
      resourceGroupName: vm.id.split('/')[4] ?? '',
      resourceId: vm.id,
      subscriptionId: vm.subscriptionId,
      tags: tags.map(({ name, value }) => `${name}:${value}`).join(';'),
      tagsList: tags,
      vmId,
      vmSize: member(hardwareProfile, 'vmSize'),
      zone: Array.isArray(zones) && typeof zones[0] === 'string' ? zones[0] : '',
    },
  }
}

/** The metadata service's own form of an error. */
function refusal(status: number, error: string, description: string): MetadataAnswer {
  return { status, body: { error, error_description: description } }
}
