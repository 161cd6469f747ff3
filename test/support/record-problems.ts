import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Preloaded into test files and the servers and commands that they start (`node --import`): notes into
 * $GOLDLEAF_TRAFFIC which problems the product made, for `provoked-codes.check.ts`. It rewrites `src/base/problem.ts` as
 * it is loaded, so that the product needs no switch for tests; only problems that a file of the product makes itself
 * count, not those that a test constructs or that a client reads out of an answer.
 */
const folder = process.env['GOLDLEAF_TRAFFIC']
const source = join(import.meta.dirname, '../../src')
const constructorEnd = 'this.details = options.details\n'

const seen = new Set<string>()
function note(kind: string, code: string, stack: string): void {
  const key = `${code} ${kind}`
  if (seen.has(key)) return
  const maker = stack.split('\n').find((line) => /^ {4}at /.test(line) && !line.includes('/src/base/problem.ts'))
  const isReadBack = /\bproblemFromRecord\b/.test(stack) || maker?.includes('/src/client/answer-problem.ts') === true
  if (isReadBack || maker?.includes(source) !== true || /\.(test|fixture|conformance)\.ts/.test(maker)) return
  seen.add(key)
  appendFileSync(join(folder ?? '', `${process.pid}.problems`), `${key}\n`)
}

if (folder !== undefined) {
  Reflect.set(globalThis, '__goldleafNoteProblem', note)
  const problemFile = join(source, 'base/problem.ts')
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:') || fileURLToPath(url) !== problemFile) return loaded
      const text = Buffer.from((loaded.source ?? '') as Uint8Array).toString()
      if (!text.includes(constructorEnd)) throw new Error(`${problemFile} has no place to note problems any more`)
      const call = 'globalThis.__goldleafNoteProblem(kind, code, this.stack)'
      return { ...loaded, source: text.replace(constructorEnd, `${constructorEnd}    ${call}\n`) }
    },
  })
}
