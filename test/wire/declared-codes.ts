import { readFile, glob } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProblemKind } from '../../src/base/problem.ts'
import { statusOfKind } from '../../src/http/problem-response.ts'

const root = join(import.meta.dirname, '../..')
/** Rooms whose problems a person meets at a terminal, not on the wire. */
const terminalRooms = ['cli', 'client', 'server', 'db']
/** Thrown by other rooms while the server starts: nobody can be answered yet. */
const beforeListening = ['AddressUnavailable', 'IdentityFilesBroken']

export interface DeclaredCode {
  readonly code: string
  /** Undefined where it never becomes an HTTP answer. */
  readonly status: number | undefined
  readonly file: string
}

/**
 * Every public code in the source: the keys (or `code`) of each defineProblems, each `new Problem(kind, code, …)`, each
 * envelope written by hand. Read as text, because some declarations are not exported.
 */
export async function listDeclaredCodes(): Promise<readonly DeclaredCode[]> {
  const found: DeclaredCode[] = []
  for await (const file of glob('src/**/*.ts', { cwd: root })) {
    if (/\.(?:test|fixture|conformance)\.ts$/.test(file)) continue
    const text = await readFile(join(root, file), 'utf8')
    const isTerminal = terminalRooms.includes(file.split('/')[1] ?? '')
    const add = (kind: string, code: string): void =>
      void found.push({
        code,
        status: isTerminal || beforeListening.includes(code) ? undefined : statusOfKind(kind as ProblemKind),
        file,
      })
    for (const block of text.matchAll(/defineProblems\(\{\n(.*?)\n\}\)/gs))
      for (const entry of (block[1] ?? '').matchAll(/^ {2}(\w+): \{(.*?)(?=^ {2}\w+: \{|$(?![\s\S]))/gms)) {
        const [, key = '', body = ''] = entry
        const kind = /\bkind: '(\w+)'/.exec(body)?.[1]
        if (kind === undefined) throw new Error(`${file}: '${key}' has no kind that can be read`)
        add(kind, /\bcode: '(\w+)'/.exec(body)?.[1] ?? key)
      }
    for (const made of text.matchAll(/new Problem\(\s*'(\w+)',\s*'(\w+)'/g)) add(made[1] ?? '', made[2] ?? '')
    for (const made of text.matchAll(/error: \{ code: '(\w+)'/g)) add('invalid', made[1] ?? '')
  }
  return found
}
