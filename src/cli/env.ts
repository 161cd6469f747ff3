import { findLocalServer, localTokenSource, reach, readClientSecret } from './connection.ts'
import type { ConnectionFlags, Reached } from './connection.ts'
import type { ServerFacts } from '../client/server-facts.ts'
import type { CliContext } from './context.ts'

/** What `goldleaf env --json` prints; the names are part of the interface. */
export interface EnvironmentFacts {
  readonly endpoint: string
  readonly httpEndpoint: string
  readonly caFile: string
  readonly tenantId: string
  readonly subscriptionId: string
  readonly clientId: string
  readonly clientSecret: string
}

export interface EnvFlags extends ConnectionFlags {
  readonly shell?: boolean | undefined
  readonly json?: boolean | undefined
}

/** `goldleaf env`: how to reach and sign in to the server that runs on the data folder. */
export async function printEnvironment(context: CliContext, flags: EnvFlags): Promise<void> {
  const server = await findLocalServer(context, flags)
  const facts: EnvironmentFacts = {
    endpoint: server.endpoint,
    httpEndpoint: server.httpEndpoint,
    caFile: server.caFile,
    ...(await findPlace(context, flags, server)),
    clientId: server.clientId,
    clientSecret: await readClientSecret(server),
  }
  if (flags.json) context.out.write(`${JSON.stringify(facts, undefined, 2)}\n`)
  else if (flags.shell) context.out.write(shellText(facts))
  else context.out.write(humanText(facts, globalFlagsText(flags)))
}

/** The tenant that is meant, with the subscription to begin in. */
async function findPlace(
  context: CliContext,
  flags: ConnectionFlags,
  server: ServerFacts,
): Promise<Pick<EnvironmentFacts, 'tenantId' | 'subscriptionId'>> {
  if (flags.tenant === undefined)
    return { tenantId: server.tenantId, subscriptionId: flags.subscription ?? server.subscriptionId }
  const reached = await reach(context, flags)
  for await (const { tenantId } of reached.client.list('/tenants'))
    if (typeof tenantId === 'string')
      return { tenantId, subscriptionId: (await findSubscriptionIfAny(reached, flags)) ?? '' }
  throw new TypeError('a caller who signed in has a tenant')
}

async function findSubscriptionIfAny(reached: Reached, flags: ConnectionFlags): Promise<string | undefined> {
  if (flags.subscription !== undefined) return flags.subscription
  for await (const { subscriptionId } of reached.client.list('/subscriptions'))
    if (typeof subscriptionId === 'string') return subscriptionId
  return undefined
}

/** What the commands that are shown must repeat to mean the same. */
function globalFlagsText({ data, tenant }: ConnectionFlags): string {
  return `${data === undefined ? '' : ` --data ${quote(data)}`}${tenant === undefined ? '' : ` --tenant ${quote(tenant)}`}`
}

/** `goldleaf token`: a bearer token for an hour, and nothing else. */
export async function printToken(context: CliContext, flags: ConnectionFlags): Promise<void> {
  const token = await localTokenSource(context, await findLocalServer(context, flags), flags.tenant)
  context.out.write(`${await token()}\n`)
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** The variables that az, the SDKs and Terraform read, as CLIENTS.md found them. */
function shellVariables(facts: EnvironmentFacts): readonly (readonly [name: string, value: string])[] {
  const { endpoint, caFile, tenantId, subscriptionId, clientId, clientSecret } = facts
  const { host } = new URL(endpoint)
  return [
    ['GOLDLEAF_ENDPOINT', endpoint],
    ['GOLDLEAF_CA_FILE', caFile],
    ['REQUESTS_CA_BUNDLE', caFile],
    ['NODE_EXTRA_CA_CERTS', caFile],
    ['SSL_CERT_FILE', caFile],
    ['AZURE_AUTHORITY_HOST', endpoint],
    ['AZURE_TENANT_ID', tenantId],
    ['AZURE_SUBSCRIPTION_ID', subscriptionId],
    ['AZURE_CLIENT_ID', clientId],
    ['AZURE_CLIENT_SECRET', clientSecret],
    ['AZURE_CORE_INSTANCE_DISCOVERY', 'false'],
    ['AZURE_CORE_COLLECT_TELEMETRY', 'false'],
    ['ARM_ENVIRONMENT', 'public'],
    ['ARM_METADATA_HOSTNAME', host],
    ['ARM_METADATA_HOST', host],
    ['ARM_TENANT_ID', tenantId],
    ['ARM_SUBSCRIPTION_ID', subscriptionId],
    ['ARM_CLIENT_ID', clientId],
    ['ARM_CLIENT_SECRET', clientSecret],
    ['ARM_USE_CLI', 'false'],
    ['ARM_RESOURCE_PROVIDER_REGISTRATIONS', 'none'],
  ]
}

function shellText(facts: EnvironmentFacts): string {
  const lines = shellVariables(facts).map(([name, value]) => `export ${name}=${quote(value)}`)
  return `${[
    '# eval "$(goldleaf env --shell)" sets this shell up. REQUESTS_CA_BUNDLE (az, Python) and SSL_CERT_FILE (Terraform,',
    "# Go) replace the system's authorities: use a shell of its own for other https sites.",
    ...lines,
    `# az, once:   az cloud register -n Goldleaf --endpoint-resource-manager ${quote(facts.endpoint)} && az cloud set -n Goldleaf`,
    '#             az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID"',
    '# Terraform before 4.0:   export ARM_SKIP_PROVIDER_REGISTRATION=true',
  ].join('\n')}\n`
}

function humanText(facts: EnvironmentFacts, data: string): string {
  return `${[
    `Endpoint       ${facts.endpoint}`,
    `  plain HTTP   ${facts.httpEndpoint}`,
    `CA file        ${facts.caFile}`,
    `Tenant         ${facts.tenantId}`,
    `Subscription   ${facts.subscriptionId}`,
    `Client id      ${facts.clientId}`,
    `Client secret  ${facts.clientSecret}`,
    '',
    `For az, the SDKs and Terraform:   eval "$(goldleaf env${data} --shell)"`,
    `For a program:                    goldleaf env${data} --json`,
    `For curl:                         curl --cacert ${quote(facts.caFile)} -H "Authorization: Bearer $(goldleaf token${data})" '${facts.endpoint}/subscriptions?api-version=2022-12-01'`,
  ].join('\n')}\n`
}
