import { systemClock } from '../base/clock.ts'
import type { CliEnvironment } from './config.ts'
import { runCli } from './main.ts'

export interface CliResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

const nothing: CliEnvironment = {
  data: undefined,
  endpoint: undefined,
  caFile: undefined,
  token: undefined,
  subscription: undefined,
  tenant: undefined,
  clientId: undefined,
  clientSecret: undefined,
}

/** Runs a `goldleaf` command in this process, which is quicker than starting Node; `serve` throws. */
export async function runHere(
  args: readonly string[],
  {
    cwd = process.cwd(),
    environment = {},
  }: { readonly cwd?: string; readonly environment?: Partial<CliEnvironment> } = {},
): Promise<CliResult> {
  const said = { out: '', err: '' }
  const code = await runCli(args, {
    cwd,
    environment: { ...nothing, ...environment },
    clock: systemClock,
    out: { write: (text) => (said.out += text) },
    err: { write: (text) => (said.err += text) },
    signal: new AbortController().signal,
    startServer: () => Promise.reject(new TypeError('no server is started here')),
  })
  return { code, ...said }
}
