/** What the command line takes from its surroundings; nothing else in this room looks at process.env. */
export interface CliEnvironment {
  readonly data: string | undefined
  readonly endpoint: string | undefined
  readonly caFile: string | undefined
  readonly token: string | undefined
  readonly subscription: string | undefined
  readonly tenant: string | undefined
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  /** A variable that the command line itself names (`--password-env`). */
  readonly variable?: ((name: string) => string | undefined) | undefined
}

/** Own names first; then the Azure SDKs' ones, so that `goldleaf env --shell` of one machine serves the CLI of another. */
export function readEnvironment(): CliEnvironment {
  const env = process.env
  return {
    data: env['GOLDLEAF_DATA'],
    endpoint: env['GOLDLEAF_ENDPOINT'],
    caFile: env['GOLDLEAF_CA_FILE'],
    token: env['GOLDLEAF_TOKEN'],
    subscription: env['AZURE_SUBSCRIPTION_ID'],
    tenant: env['AZURE_TENANT_ID'],
    clientId: env['AZURE_CLIENT_ID'],
    clientSecret: env['AZURE_CLIENT_SECRET'],
    variable: (name) => env[name],
  }
}
