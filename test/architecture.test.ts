import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { suite, test } from 'node:test'
import { exceptions } from './architecture-exceptions.ts'

/** Which room may import which (CONVENTIONS section 2): anything not listed is refused. Change it with a reason. */
const mayImport: Readonly<Record<string, string>> = {
  base: '',
  contract: 'base',
  http: 'base',
  db: 'base',
  blocks: 'base',
  store: 'base blocks',
  work: 'base db',
  resources: 'base contract db',
  directory: 'base http db resources',
  identity: 'base contract http db resources directory',
  access: 'base contract http db resources directory',
  activity: 'base http db resources',
  'managed-identity': 'base contract http db resources directory identity',
  keys: 'base blocks contract db work resources',
  'resource-graph': 'base contract db resources',
  replication: 'base db store work',
  client: 'base contract',
  cli: 'base contract client blocks store transfer server',
  gallery: 'base contract db blocks store work resources replication keys',
  compute: 'base contract db blocks store work resources gallery',
  transfer: 'base http db blocks store identity',
  storage: 'base contract db resources',
  arm: 'base contract http db work resources identity access activity',
  server:
    'base contract http db blocks store work resources directory identity access activity managed-identity resource-graph keys replication gallery compute storage templates transfer arm client',
}

interface SourceFile {
  readonly path: string
  readonly room: string
  readonly text: string
  /** The text without comments and string contents: what the rules about calls look at. */
  readonly code: string
  readonly imports: readonly string[]
}

const files: readonly SourceFile[] = globSync('src/**/*.ts')
  .toSorted()
  .map((path) => {
    const text = readFileSync(path, 'utf8')
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
    return { path, room: path.split('/')[1] ?? '', text, code: stripped(text), imports }
  })
const product = files.filter((file) => !/\.(test|conformance|fixture)\.ts$/.test(file.path))

function stripped(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)\/\/.*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''")
}

function refuse(rule: keyof typeof exceptions | 'none', offenders: readonly string[], why: string): void {
  const allowed = rule === 'none' ? [] : exceptions[rule]
  assert.deepEqual(
    offenders.filter((path) => !allowed.includes(path)),
    [],
    why,
  )
  const stale = allowed.filter((path) => !offenders.includes(path))
  assert.deepEqual(stale, [], 'an exception is no longer needed: take it off the list')
}

suite('architecture', () => {
  test('every room is in the table', () => {
    assert.deepEqual(
      [...new Set(files.map((file) => file.room))].filter((room) => mayImport[room] === undefined),
      [],
    )
  })

  test('imports point the way the table says', () => {
    const wrong: string[] = []
    for (const file of product)
      for (const target of file.imports.filter((path) => path.startsWith('.'))) {
        const room = normalize(join(dirname(file.path), target)).split('/')[1] ?? ''
        const allowed = [file.room, ...(mayImport[file.room] ?? '').split(' ')]
        if (!allowed.includes(room)) wrong.push(`${file.path} -> ${room}`)
      }
    assert.deepEqual(wrong, [])
  })

  test('there is no import cycle between files', () => {
    const graph = new Map(
      files.map((file) => [
        file.path,
        file.imports.filter((p) => p.startsWith('.')).map((p) => normalize(join(dirname(file.path), p))),
      ]),
    )
    const done = new Set<string>()
    const visit = (path: string, trail: readonly string[]): void => {
      assert.ok(!trail.includes(path), `cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`)
      if (done.has(path)) return
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
  })

  test('relative imports end in .ts, nothing is called index.ts or exported by default', () => {
    const wrong = files.filter(
      (file) =>
        file.imports.some((path) => path.startsWith('.') && !path.endsWith('.ts')) ||
        file.path.endsWith('/index.ts') ||
        /^export default/m.test(file.code),
    )
    assert.deepEqual(
      wrong.map((file) => file.path),
      [],
    )
  })

  test('base, contract and client run in a browser: nothing from node:', () => {
    const wrong = product.filter(
      (file) => ['base', 'contract', 'client'].includes(file.room) && file.imports.some((p) => p.startsWith('node:')),
    )
    assert.deepEqual(
      wrong.map((file) => file.path),
      [],
    )
  })

  test('only *.rows.ts build queries', () => {
    const wrong = product.filter(
      (file) =>
        file.room !== 'db' &&
        !file.path.endsWith('.rows.ts') &&
        /\.(selectFrom|insertInto|updateTable|deleteFrom)\(/.test(file.code),
    )
    refuse(
      'queries',
      wrong.map((file) => file.path),
      'SQL belongs into a *.rows.ts',
    )
  })

  test('only db imports a database driver', () => {
    const wrong = product.filter((file) => file.room !== 'db' && file.imports.includes('node:sqlite'))
    refuse(
      'driver',
      wrong.map((file) => file.path),
      'a driver belongs to db/',
    )
  })

  test('clock, timers and randomness come from base', () => {
    const calls =
      /\bDate\.now\(|\bnew Date\(\)|\bset(Timeout|Interval)\(|\bMath\.random\(|\brandomUUID\(|\brandomBytes\(\)|performance\.now\(/
    const wrong = product.filter(
      (file) =>
        !['src/base/clock.ts', 'src/base/random.ts'].includes(file.path) &&
        calls.test(file.code.replaceAll(/\.setTimeout\(/g, '')),
    )
    refuse(
      'clock',
      wrong.map((file) => file.path),
      'take a Clock, or base/random.ts',
    )
  })

  test('process.env is read in a config.ts only', () => {
    const wrong = product.filter((file) => !file.path.endsWith('/config.ts') && /process\.env/.test(file.code))
    refuse(
      'environment',
      wrong.map((file) => file.path),
      'process.env belongs into a config.ts',
    )
  })

  test('processes are started in compute/qemu only', () => {
    const wrong = product.filter(
      (file) => !file.path.startsWith('src/compute/qemu/') && file.imports.includes('node:child_process'),
    )
    refuse(
      'none',
      wrong.map((file) => file.path),
      'child_process belongs to compute/qemu',
    )
  })

  test('domain rooms never know HTTP statuses', () => {
    const wrong = product.filter(
      (file) =>
        // activity writes down what arm answered
        !['http', 'arm', 'transfer', 'client', 'identity', 'cli', 'activity'].includes(file.room) &&
        /statusCode|\.status\(\s*\d/.test(file.code),
    )
    refuse(
      'statuses',
      wrong.map((file) => file.path),
      'only arm, http and transfer turn kinds into statuses',
    )
  })

  test('no any, no non-null assertion', () => {
    const wrong = files.filter((file) => /:\s*any\b|\bas any\b|<any>/.test(file.code))
    refuse(
      'none',
      wrong.map((file) => file.path),
      'parse at the border, then trust the type',
    )
  })

  test('tests and fixtures are never imported by the product', () => {
    const wrong = product.filter((file) => file.imports.some((path) => /test\/|\.test\.ts$|\.fixture\.ts$/.test(path)))
    assert.deepEqual(
      wrong.map((file) => file.path),
      [],
    )
  })

  test('every room says what it is for, in at most 60 lines', () => {
    for (const room of new Set(files.map((file) => file.room))) {
      const readme = `src/${room}/README.md`
      assert.ok(existsSync(readme), `${readme} is missing`)
      const lines = readFileSync(readme, 'utf8').split('\n').length
      assert.ok(lines <= 61, `${readme} has ${lines} lines`)
    }
  })

  test('no file is longer than 500 lines', () => {
    const long = [
      ...files,
      ...globSync('{test,tools,bench}/**/*.ts').map((path) => ({ path, text: readFileSync(path, 'utf8') })),
    ]
    refuse(
      'length',
      long.filter((file) => file.text.split('\n').length > 501).map((file) => file.path),
      'a room that size has two purposes',
    )
  })
})
