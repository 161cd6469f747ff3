import { defineProblems } from '../base/problem.ts'

/** What the command line itself refuses; the server's own problems pass through as they are. */
export const cliProblems = defineProblems({
  ServerNotRunning: {
    kind: 'unavailable',
    say: (f: { data: string }) =>
      `No server is running on the data folder '${f.data}'. Start one with 'goldleaf serve --data ${f.data}', or name the folder with --data, or another machine with --endpoint.`,
  },
  SecretUnreadable: {
    kind: 'forbidden',
    say: (f: { file: string; reason: string }) =>
      `The client's secret in '${f.file}' cannot be read (${f.reason}). Run this as the user who runs the server, or pass --token.`,
  },
  TokenMissing: {
    kind: 'unauthenticated',
    say: (f: { endpoint: string }) =>
      `There is no token for ${f.endpoint}. Set GOLDLEAF_TOKEN to one ('goldleaf token' on the server's machine prints it), or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.`,
  },
  SubscriptionUnknown: {
    kind: 'invalid',
    say: (f: { count: number }) =>
      f.count === 0
        ? 'You see no subscription on this server. Check the token.'
        : `You see ${f.count} subscriptions on this server. Choose one with --subscription.`,
  },
  SubscriptionExists: {
    kind: 'conflict',
    say: (f: { alias: string }) =>
      `A subscription was made under the alias '${f.alias}' already: 'goldleaf subscription list' shows it. Give --alias for another.`,
  },
  NotInDirectory: {
    kind: 'absent',
    say: (f: { what: string; name: string; count: number }) =>
      f.count === 0
        ? `The tenant has no ${f.what} '${f.name}'. Give its id, or its exact name.`
        : `The tenant has ${f.count} of the ${f.what}s '${f.name}'. Give the id of one.`,
  },
  UsageWrong: { kind: 'invalid', say: (f: { message: string }) => f.message },
  RegionUnknown: {
    kind: 'invalid',
    say: (f: { region: string; known: readonly string[] }) =>
      `This server has no region '${f.region}'. It has ${f.known.join(', ')}. Correct --regions or --location.`,
  },
  VersionExists: {
    kind: 'conflict',
    say: (f: { version: string }) =>
      `Version ${f.version} exists already, and versions do not change. Choose the next one, or delete it first.`,
  },
  FileExists: {
    kind: 'conflict',
    say: (f: { file: string }) => `The file '${f.file}' exists already. Choose another --out, or pass --force.`,
  },
  ConsoleMissing: {
    kind: 'absent',
    say: (f: { name: string }) =>
      `The virtual machine '${f.name}' has no serial console log yet. Start it, then try again.`,
  },
  FileUnreadable: {
    kind: 'invalid',
    say: (f: { file: string; reason: string }) => `The file '${f.file}' cannot be read (${f.reason}).`,
  },
})
