import { systemClock } from '../src/base/clock.ts'
import { readEnvironment } from '../src/cli/config.ts'
import { runCli } from '../src/cli/main.ts'

// The one place where the command line and the server meet; the server is loaded only for `serve`.
const stop = new AbortController()
let stoppedMs = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    // The first asks to stop in order, a later one does not wait. One Ctrl-C comes up to three times: from the terminal,
    // from npm and from tools/hand-over.mjs.
    if (stop.signal.aborted && performance.now() - stoppedMs > 1_000) process.exit(130)
    if (!stop.signal.aborted) stoppedMs = performance.now()
    stop.abort()
  })
// `goldleaf image list | head`: a reader that goes away is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const exitCode = await runCli(process.argv.slice(2), {
  cwd: process.cwd(),
  environment: readEnvironment(),
  clock: systemClock,
  out: process.stdout,
  err: process.stderr,
  signal: stop.signal,
  async startServer(flags) {
    const { loadConfig } = await import('../src/server/config.ts')
    const config = await loadConfig(flags)
    const { startServer } = await import('../src/server/main.ts')
    const server = await startServer(config)
    return { ...server, dataFolder: config.dataFolder }
  },
})
process.exit(exitCode)
