import { resourceGraphProblems } from './problems.ts'

/** A query as data: a table and the steps after it. */
export interface Query {
  readonly table: TableName
  readonly steps: readonly Step[]
}

const tableNames = ['resources', 'resourcecontainers', 'communitygalleryresources'] as const
export type TableName = (typeof tableNames)[number]

export type Step =
  | { readonly kind: 'where'; readonly filter: Expression }
  | { readonly kind: 'project' | 'extend'; readonly columns: readonly Column[] }
  | { readonly kind: 'order'; readonly by: readonly Order[] }
  | { readonly kind: 'limit'; readonly count: number }
  | { readonly kind: 'distinct'; readonly columns: readonly Column[] }
  | { readonly kind: 'count' }

export interface Column {
  readonly name: string
  readonly value: Expression
}
export interface Order {
  readonly value: Expression
  readonly descending: boolean
}

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'member'; readonly path: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly argument: Expression }
  | {
      readonly kind: 'list'
      readonly operator: string
      readonly left: Expression
      readonly items: readonly Expression[]
    }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }

interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'sign' | 'end'
  readonly text: string
  readonly at: number
}

/** A query longer than this is refused before it is read. */
const longestQuery = 20_000
const deepest = 50
const tokenPattern =
  /\s+|\/\/[^\n]*|(?<word>in~|[A-Za-z_]\w*)|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<number>\d+(?:\.\d+)?)|(?<sign>==|!=|=~|!~|<=|>=|!in~|!in\b|!contains\b|[|,.()[\]=<>])/gy

function tokenize(query: string): readonly Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < query.length) {
    const at = tokenPattern.lastIndex
    const groups = tokenPattern.exec(query)?.groups
    if (!groups) throw resourceGraphProblems.InvalidQuery({ reason: `'${query[at]}' is not understood.`, at })
    for (const kind of ['word', 'text', 'number', 'sign'] as const) {
      const text = groups[kind]
      if (text !== undefined) tokens.push({ kind, text, at })
    }
  }
  return [...tokens, { kind: 'end', text: '', at: query.length }]
}

/** Throws BadRequest, naming the place, for what is wrong or not understood. */
export function parseQuery(query: string): Query {
  if (query.length > longestQuery)
    throw resourceGraphProblems.InvalidQuery({ reason: `It is longer than ${longestQuery} characters.`, at: 0 })
  const reader = createReader(tokenize(query))
  const table = tableNames.find((name) => name === reader.peek().text.toLowerCase())
  if (table !== undefined) reader.next()
  const steps: Step[] = []
  if (table === undefined && !reader.isEnd()) steps.push(...readStep(reader))
  while (!reader.isEnd()) {
    reader.need('|')
    steps.push(...readStep(reader))
  }
  return { table: table ?? 'resources', steps }
}

interface Reader {
  peek(): Token
  next(): Token
  isEnd(): boolean
  /** Takes the word or sign if it is next. */
  take(text: string): boolean
  need(text: string): void
  fail(reason: string, token?: Token): never
  depth: number
}

function createReader(tokens: readonly Token[]): Reader {
  let index = 0
  const end: Token = tokens.at(-1) ?? { kind: 'end', text: '', at: 0 }
  const reader: Reader = {
    depth: 0,
    peek: () => tokens[index] ?? end,
    next: () => tokens[index++] ?? end,
    isEnd: () => reader.peek().kind === 'end',
    take(text) {
      const { kind, text: found } = reader.peek()
      if ((kind !== 'word' && kind !== 'sign') || found.toLowerCase() !== text) return false
      index++
      return true
    },
    need(text) {
      if (!reader.take(text)) reader.fail(`'${text}' is expected.`)
    },
    fail(reason, token = reader.peek()) {
      throw resourceGraphProblems.InvalidQuery({ reason, at: token.at })
    },
  }
  return reader
}

function readStep(reader: Reader): readonly Step[] {
  const token = reader.next()
  switch (token.text.toLowerCase()) {
    case 'where':
      return [{ kind: 'where', filter: readOr(reader) }]
    case 'project':
      return [{ kind: 'project', columns: readList(reader, readColumn) }]
    case 'extend':
      return [{ kind: 'extend', columns: readList(reader, readColumn) }]
    case 'distinct':
      return [{ kind: 'distinct', columns: readList(reader, readColumn) }]
    case 'order':
    case 'sort':
      reader.need('by')
      return [{ kind: 'order', by: readList(reader, readOrder) }]
    case 'limit':
    case 'take':
      return [{ kind: 'limit', count: readCount(reader) }]
    case 'top': {
      const count = readCount(reader)
      reader.need('by')
      return [
        { kind: 'order', by: readList(reader, readOrder) },
        { kind: 'limit', count },
      ]
    }
    case 'count':
      return [{ kind: 'count' }]
    default:
      return reader.fail(`'${token.text}' is no table or operator that is supported.`, token)
  }
}

function readList<T>(reader: Reader, read: (reader: Reader) => T): readonly T[] {
  const found = [read(reader)]
  while (reader.take(',')) found.push(read(reader))
  return found
}

function readCount(reader: Reader): number {
  const { kind, text } = reader.next()
  const count = Number(text)
  if (kind !== 'number' || !Number.isSafeInteger(count)) reader.fail('a whole number is expected.')
  return count
}

/** `name`, `properties.a.b` (named `properties_a_b`, as Kusto does) or `name = expression`. */
function readColumn(reader: Reader): Column {
  const start = reader.peek()
  const value = readOr(reader)
  if (value.kind === 'member' && value.path.length === 1 && reader.take('='))
    return { name: value.path[0] ?? '', value: readOr(reader) }
  if (value.kind !== 'member') return reader.fail("a computed column needs a name: 'name = …'.", start)
  return { name: value.path.join('_'), value }
}

/** Kusto sorts downwards unless told. */
function readOrder(reader: Reader): Order {
  const value = readOr(reader)
  if (reader.take('asc')) return { value, descending: false }
  reader.take('desc')
  return { value, descending: true }
}

function readOr(reader: Reader): Expression {
  if (++reader.depth > deepest) reader.fail('it is nested too deeply.')
  let left = readAnd(reader)
  while (reader.take('or')) left = { kind: 'binary', operator: 'or', left, right: readAnd(reader) }
  reader.depth--
  return left
}

function readAnd(reader: Reader): Expression {
  let left = readComparison(reader)
  while (reader.take('and')) left = { kind: 'binary', operator: 'and', left, right: readComparison(reader) }
  return left
}

const comparisons = ['==', '!=', '=~', '!~', '<=', '>=', '<', '>', 'contains', '!contains', 'startswith', 'endswith']
const memberships = ['in', '!in', 'in~', '!in~']

function readComparison(reader: Reader): Expression {
  const left = readValue(reader)
  for (const operator of comparisons)
    if (reader.take(operator)) return { kind: 'binary', operator, left, right: readValue(reader) }
  const membership = memberships.find((operator) => reader.take(operator))
  if (membership === undefined) return left
  reader.need('(')
  const items = readList(reader, readValue)
  reader.need(')')
  return { kind: 'list', operator: membership, left, items }
}

const functions = ['tolower', 'toupper', 'tostring', 'isempty', 'isnotempty', 'isnull', 'isnotnull', 'not']

function readValue(reader: Reader): Expression {
  if (reader.take('(')) {
    const inner = readOr(reader)
    reader.need(')')
    return inner
  }
  const token = reader.next()
  const word = token.text.toLowerCase()
  switch (token.kind) {
    case 'text':
      return { kind: 'literal', value: unquote(token.text) }
    case 'number':
      return { kind: 'literal', value: Number(token.text) }
    case 'word':
      if (word === 'true' || word === 'false') return { kind: 'literal', value: word === 'true' }
      if (reader.take('(')) {
        if (!functions.includes(word)) reader.fail(`the function '${token.text}' is not supported.`, token)
        const argument = readOr(reader)
        reader.need(')')
        return { kind: 'call', name: word, argument }
      }
      return { kind: 'member', path: [token.text, ...readPath(reader)] }
    default:
      return reader.fail('a value is expected.', token)
  }
}

function readPath(reader: Reader): readonly string[] {
  const path: string[] = []
  for (;;)
    if (reader.take('.')) {
      const { kind, text } = reader.next()
      if (kind !== 'word') reader.fail('the name of a member is expected.')
      path.push(text)
    } else if (reader.take('[')) {
      const { kind, text } = reader.next()
      if (kind !== 'text' && kind !== 'number') reader.fail('the name or number of a member is expected.')
      path.push(kind === 'text' ? unquote(text) : text)
      reader.need(']')
    } else return path
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(.)/g, '$1')
}
