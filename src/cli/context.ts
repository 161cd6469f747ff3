import type { Clock } from '../base/clock.ts'
import type { CliEnvironment } from './config.ts'

/** What the parts of the command line are given; tests give their own. */
export interface CliContext {
  readonly cwd: string
  readonly environment: CliEnvironment
  readonly clock: Clock
  /** Results, for people and for scripts. */
  readonly out: Output
  /** Progress, notes and errors. */
  readonly err: Output
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Starts a server of the flags of `serve`; src/cli knows nothing of what is behind it. */
  startServer(flags: ServeFlags): Promise<RunningServer>
}

export interface Output {
  write(text: string): unknown
  /** A person is looking: progress bars instead of lines. */
  readonly isTTY?: boolean | undefined
}

export interface ServeFlags {
  readonly data?: string | undefined
  readonly listen?: string | undefined
  readonly listenHttps?: string | undefined
  readonly config?: string | undefined
  readonly logLevel?: string | undefined
}

export interface RunningServer {
  readonly httpUrl: string
  readonly httpsUrl: string
  readonly dataFolder: string
  close(): Promise<void>
}

/** Documented in `goldleaf --help` and in the README: scripts rely on them. */
export const exitCodes = {
  done: 0,
  /** The server refused, the operation failed, or an image is damaged. */
  failed: 1,
  /** Wrong flags or arguments: nothing was done. */
  usage: 2,
  /** No server is running there, or it cannot be reached. */
  unreachable: 3,
  /** Stopped by Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const
