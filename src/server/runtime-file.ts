import { mkdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '../base/problem.ts'
import { findServerFacts, serverFactsFile } from '../client/server-facts.ts'
import type { ServerFacts } from '../client/server-facts.ts'
import { readFileIfAny, writeDurableFile } from '../identity/secret-file.ts'

/** `0.0.0.0` and `::` are for listening; a client of this machine connects to loopback. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}

/**
 * When a process began, in ticks since the boot, and which boot: proc(5), field 22 of `stat`, counted behind the command
 * name, which may hold anything. Empty where there is no such process or no /proc.
 */
async function processMark(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie holds its id but serves nothing.
    return fields[0] === 'Z' ? '' : `${boot.trim()} ${fields[19]}`
  } catch {
    return ''
  }
}

/**
 * Refuses to start where another process serves the same data folder: two of them would overwrite each other's packs.
 * Call before anything in the folder is opened. Survives kill -9, reboots and reused process ids.
 */
export async function refuseSecondServer(dataFolder: string): Promise<void> {
  await mkdir(dataFolder, { recursive: true })
  const text = await readFileIfAny(join(dataFolder, serverFactsFile))
  const facts = text === undefined ? undefined : findServerFacts(text)
  if (facts === undefined || facts.pid === process.pid) return
  const mark = await processMark(facts.pid)
  if (mark === '' || mark !== facts.processMark) return
  throw new Problem(
    'conflict',
    'DataFolderInUse',
    `The data folder ${dataFolder} is served already, by process ${facts.pid} at ${facts.endpoint}. Stop that server, or give another folder with --data.`,
  )
}

/** Writes `<data>/server.json` once the server answers: `goldleaf env`, `token` and the other commands read it. */
export async function publishServerFacts(
  dataFolder: string,
  facts: Omit<ServerFacts, 'pid' | 'processMark' | 'startedAt'> & { readonly startedMs: number },
): Promise<void> {
  const { startedMs, ...rest } = facts
  const full: ServerFacts = {
    pid: process.pid,
    processMark: await processMark(process.pid),
    startedAt: new Date(startedMs).toISOString(),
    ...rest,
    endpoint: reachable(facts.endpoint),
    httpEndpoint: reachable(facts.httpEndpoint),
  }
  await writeDurableFile(join(dataFolder, serverFactsFile), `${JSON.stringify(full, undefined, 2)}\n`, 0o644)
}

/** Call when the server stops. Leaves the file of another server alone. */
export async function withdrawServerFacts(dataFolder: string): Promise<void> {
  const path = join(dataFolder, serverFactsFile)
  const text = await readFileIfAny(path)
  if (text !== undefined && findServerFacts(text)?.pid === process.pid) await unlink(path)
}
