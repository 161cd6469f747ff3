import type { CliContext, ServeFlags } from './context.ts'

/**
 * Runs a server until the signal to stop. Stdout gets exactly one line, when both addresses answer: scripts wait for it.
 * Everything else (the log) goes to stderr.
 */
export async function serve(context: CliContext, flags: ServeFlags): Promise<void> {
  const server = await context.startServer(flags)
  try {
    if (!context.signal.aborted)
      context.out.write(`goldleaf ready http=${server.httpUrl} https=${server.httpsUrl} data=${server.dataFolder}\n`)
    await aborted(context.signal)
  } finally {
    await server.close()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
