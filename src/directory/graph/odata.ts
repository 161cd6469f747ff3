import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import { directoryProblems } from '../problems.ts'

/**
 * OData's `$filter` as far as Graph's clients use it: `eq ne ge le gt lt in`, `and or not`, parentheses,
 * `startswith endswith contains`, and `list/any(x:x eq 'v')`. Texts are compared without regard to case, as Graph does.
 */
export interface Filter {
  matches(item: JsonObject): boolean
  /** What must hold by itself for the whole to hold, by member name: what an index can answer. */
  readonly equals: ReadonlyMap<string, string>
}

type Value = string | number | boolean | null
interface Node {
  readonly test: (item: JsonObject) => boolean
  readonly equals: ReadonlyMap<string, string>
}

const longestFilter = 4_000
const deepestFilter = 50
const token = /\s*(?:('(?:[^']|'')*')|([()/:,])|([^\s()/:,']+))/y

function refuse(message: string): never {
  throw directoryProblems.Request_BadRequest({ message: `Invalid filter clause: ${message}` })
}

function tokensOf(text: string): readonly string[] {
  if (text.length > longestFilter) refuse(`it has more than ${longestFilter} characters.`)
  const found: string[] = []
  token.lastIndex = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    found.push(match[1] ?? match[2] ?? match[3] ?? '')
    if (token.lastIndex === text.trimEnd().length) return found
  }
  return text.trim() === '' ? refuse('it is empty.') : refuse(`'${text}' ends in the middle of a text.`)
}

/** Throws Request_BadRequest for what is not of the form above. */
export function parseFilter(text: string): Filter {
  const cursor = createCursor(tokensOf(text))
  const node = parseOr(cursor)
  if (!cursor.isEnd()) refuse(`'${cursor.peek()}' is too much.`)
  return { matches: node.test, equals: node.equals }
}

const none: ReadonlyMap<string, string> = new Map()

/** Reads tokens one by one; refuses what does not fit. */
interface Cursor {
  peek(ahead?: number): string
  isNext(word: string): boolean
  take(): string
  expect(word: string): void
  /** Bounds how deep the functions below call each other. */
  deeper(parse: (cursor: Cursor) => Node): Node
  isEnd(): boolean
}

function createCursor(tokens: readonly string[]): Cursor {
  let at = 0
  let depth = 0
  const take = (): string => tokens[at++] ?? refuse('it ends too early.')
  const cursor: Cursor = {
    peek: (ahead = 0) => tokens[at + ahead] ?? '',
    isNext: (word) => cursor.peek().toLowerCase() === word,
    take,
    expect(word) {
      const found = take()
      if (found.toLowerCase() !== word) refuse(`'${word}' expected at '${found}'.`)
    },
    deeper(parse) {
      if (++depth > deepestFilter) refuse('it is nested too deep.')
      const parsed = parse(cursor)
      depth--
      return parsed
    },
    isEnd: () => at >= tokens.length,
  }
  return cursor
}

function parseOr(cursor: Cursor): Node {
  const parts = [parseAnd(cursor)]
  for (; cursor.isNext('or'); parts.push(parseAnd(cursor))) cursor.take()
  const [only] = parts
  if (parts.length === 1 && only) return only
  return { test: (item) => parts.some((part) => part.test(item)), equals: none }
}

function parseAnd(cursor: Cursor): Node {
  const parts = [parseUnary(cursor)]
  for (; cursor.isNext('and'); parts.push(parseUnary(cursor))) cursor.take()
  return {
    test: (item) => parts.every((part) => part.test(item)),
    equals: new Map(parts.flatMap((part) => [...part.equals])),
  }
}

function parseUnary(cursor: Cursor): Node {
  if (cursor.isNext('not')) {
    cursor.take()
    const inner = cursor.deeper(parseUnary)
    return { test: (item) => !inner.test(item), equals: none }
  }
  if (cursor.isNext('(')) {
    cursor.take()
    const inner = cursor.deeper(parseOr)
    cursor.expect(')')
    return inner
  }
  const isFunction = textFunctions[cursor.peek().toLowerCase()] !== undefined && cursor.peek(1) === '('
  return isFunction ? parseTextFunction(cursor) : parseComparison(cursor)
}

const textFunctions: Readonly<Record<string, (text: string, wanted: string) => boolean>> = {
  startswith: (text, wanted) => text.startsWith(wanted),
  endswith: (text, wanted) => text.endsWith(wanted),
  contains: (text, wanted) => text.includes(wanted),
}

function parseTextFunction(cursor: Cursor): Node {
  const holds = textFunctions[cursor.take().toLowerCase()]
  cursor.expect('(')
  const path = readPath(cursor)
  cursor.expect(',')
  const wanted = String(readValue(cursor)).toLowerCase()
  cursor.expect(')')
  return {
    equals: none,
    test(item) {
      const found = valueAt(item, path)
      return typeof found === 'string' && holds?.(found.toLowerCase(), wanted) === true
    },
  }
}

function parseComparison(cursor: Cursor): Node {
  const path = readPath(cursor)
  if (path.at(-1)?.toLowerCase() === 'any' && cursor.isNext('(')) return parseAny(cursor, path.slice(0, -1))
  const { compare, operator, value } = parseCondition(cursor)
  const isEqual = operator === 'eq' && path.length === 1 && typeof value === 'string'
  return {
    equals: isEqual ? new Map([[path[0] ?? '', value]]) : none,
    test: (item) => compare(valueAt(item, path)),
  }
}

function parseAny(cursor: Cursor, path: readonly string[]): Node {
  cursor.expect('(')
  const variable = cursor.take()
  cursor.expect(':')
  const inner = readPath(cursor)
  if (inner[0] !== variable) refuse(`'${variable}' expected at '${inner.join('/')}'.`)
  const { compare } = parseCondition(cursor)
  cursor.expect(')')
  const part = (one: unknown): unknown =>
    inner.length === 1 ? one : isJsonObject(one) ? valueAt(one, inner.slice(1)) : undefined
  return {
    equals: none,
    test(item) {
      const items = valueAt(item, path)
      return Array.isArray(items) && items.some((one: unknown) => compare(part(one)))
    },
  }
}

interface Condition {
  readonly operator: string
  readonly value: Value
  readonly compare: (found: unknown) => boolean
}

function parseCondition(cursor: Cursor): Condition {
  const operator = cursor.take().toLowerCase()
  if (operator === 'in') {
    cursor.expect('(')
    const values = [readValue(cursor)]
    for (; cursor.isNext(','); values.push(readValue(cursor))) cursor.take()
    cursor.expect(')')
    return { operator, value: null, compare: (found) => values.some((value) => order(found, value) === 0) }
  }
  const holds = comparisons[operator] ?? refuse(`'${operator}' is not an operator that is served.`)
  const value = readValue(cursor)
  return { operator, value, compare: (found) => holds(order(found, value)) }
}

function readPath(cursor: Cursor): readonly string[] {
  const path = [cursor.take()]
  for (; cursor.isNext('/'); path.push(cursor.take())) cursor.take()
  if (path.some((name) => !/^[$\w@.-]+$/.test(name))) refuse(`'${path.join('/')}' is not the name of a property.`)
  return path
}

function readValue(cursor: Cursor): Value {
  let text = cursor.take()
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'")
  // Times come without quotes: 2026-01-01T00:00:00Z.
  while (cursor.isNext(':')) text += cursor.take() + cursor.take()
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (/^[\w.:+-]+$/.test(text)) return text
  return refuse(`'${text}' is not a value.`)
}

const comparisons: Readonly<Record<string, (order: number | undefined) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  gt: (order) => order !== undefined && order > 0,
  ge: (order) => order !== undefined && order >= 0,
  lt: (order) => order !== undefined && order < 0,
  le: (order) => order !== undefined && order <= 0,
}

/** Undefined where the two cannot be compared. An absent member equals null. */
function order(found: unknown, value: Value): number | undefined {
  const left = found ?? null
  if (left === null || value === null) return left === value ? 0 : undefined
  if (typeof left === 'string' && typeof value === 'string') {
    const [a, b] = [left.toLowerCase(), value.toLowerCase()]
    return a === b ? 0 : a < b ? -1 : 1
  }
  if (typeof left === 'number' && typeof value === 'number') return left - value
  return typeof left === 'boolean' && left === value ? 0 : undefined
}

function valueAt(item: JsonObject, path: readonly string[]): unknown {
  let value: unknown = item
  for (const name of path) value = isJsonObject(value) ? value[name] : undefined
  return value
}

/** `$select`: these members, and what OData adds. Undefined selects all. */
export function selectMembers(item: JsonObject, select: string | undefined): JsonObject {
  if (select === undefined) return item
  const wanted = new Set(select.split(',').map((name) => name.trim().toLowerCase()))
  return Object.fromEntries(
    Object.entries(item).filter(([name]) => wanted.has(name.toLowerCase()) || name.startsWith('@odata')),
  )
}
