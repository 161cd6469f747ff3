import { CommanderError } from 'commander'
import { Problem } from '../base/problem.ts'
import { exitCodes } from './context.ts'
import type { CliContext } from './context.ts'
import { buildProgram } from './program.ts'

/**
 * Runs one command of `goldleaf`; answers the exit code (context.ts). Results go to `out`, everything else to `err`.
 * Never throws: what fails is reported with the reason and the next step.
 */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  let exitCode: number = exitCodes.done
  const program = buildProgram(context, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    return reportError(context, error)
  }
}

/** What is wrong in the command or the configuration, not in the world: nothing was tried. */
const usageCodes = new Set(['UsageWrong', 'ConfigurationInvalid', 'FileUnreadable', 'RegionUnknown'])
const unreachableCodes = new Set(['ServerNotRunning', 'ServerUnreachable'])

function reportError(context: CliContext, error: unknown): number {
  // Commander has written its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  if (context.signal.aborted) {
    context.err.write('goldleaf: stopped.\n')
    return exitCodes.interrupted
  }
  if (error instanceof Problem) {
    context.err.write(`goldleaf: ${error.message} (${error.code})\n`)
    for (const detail of error.details ?? []) context.err.write(`  ${detail.message} (${detail.code})\n`)
    if (usageCodes.has(error.code)) return exitCodes.usage
    return unreachableCodes.has(error.code) ? exitCodes.unreachable : exitCodes.failed
  }
  const isSystem = error instanceof Error && 'code' in error && 'syscall' in error
  const text = error instanceof Error ? (isSystem ? error.message : (error.stack ?? error.message)) : String(error)
  context.err.write(`goldleaf: ${text}\n`)
  return exitCodes.failed
}
