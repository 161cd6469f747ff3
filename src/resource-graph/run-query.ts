import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { Column, Expression, Order, Step } from './parse-query.ts'

/** Applies the steps of a query to the rows of its table, one after the other. */
export function runQuery(rows: readonly JsonObject[], steps: readonly Step[]): readonly JsonObject[] {
  return steps.reduce(runStep, rows)
}

function runStep(rows: readonly JsonObject[], step: Step): readonly JsonObject[] {
  switch (step.kind) {
    case 'where':
      return rows.filter((row) => evaluate(step.filter, row) === true)
    case 'project':
      return rows.map((row) => columnsOf(step.columns, row))
    case 'extend':
      return rows.map((row) => ({ ...row, ...columnsOf(step.columns, row) }))
    case 'distinct': {
      const found = new Map(rows.map((row) => columnsOf(step.columns, row)).map((row) => [JSON.stringify(row), row]))
      return [...found.values()]
    }
    case 'order':
      return rows.toSorted((a, b) => compareRows(a, b, step.by))
    case 'limit':
      return rows.slice(0, step.count)
    case 'count':
      return [{ Count: rows.length }]
  }
}

function columnsOf(columns: readonly Column[], row: JsonObject): JsonObject {
  return Object.fromEntries(columns.map(({ name, value }) => [name, evaluate(value, row) ?? null]))
}

function compareRows(a: JsonObject, b: JsonObject, by: readonly Order[]): number {
  for (const { value, descending } of by) {
    const order = compare(evaluate(value, a), evaluate(value, b))
    if (order !== 0) return descending ? -order : order
  }
  return 0
}

function compare(a: Json | undefined, b: Json | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [left, right] = [textOf(a), textOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function evaluate(expression: Expression, row: JsonObject): Json | undefined {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'member':
      return memberOf(row, expression.path)
    case 'call':
      return callFunction(expression.name, evaluate(expression.argument, row))
    case 'list':
      return isAmong(expression.operator, evaluate(expression.left, row), expression.items, row)
    case 'binary':
      return combine(expression.operator, expression.left, expression.right, row)
  }
}

/** Names of columns and members are compared as they are first, then without regard to case: clients vary. */
function memberOf(row: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = row
  for (const name of path) {
    if (Array.isArray(value)) value = (value as readonly Json[])[Number(name)]
    else if (isJsonObject(value)) {
      const key = Object.hasOwn(value, name)
        ? name
        : Object.keys(value).find((own) => own.toLowerCase() === name.toLowerCase())
      value = key === undefined ? undefined : value[key]
    } else return undefined
  }
  return value
}

function callFunction(name: string, value: Json | undefined): Json | undefined {
  const isNothing = value === undefined || value === null
  switch (name) {
    case 'tolower':
      return textOf(value).toLowerCase()
    case 'toupper':
      return textOf(value).toUpperCase()
    case 'tostring':
      return textOf(value)
    case 'isempty':
      return isNothing || value === ''
    case 'isnotempty':
      return !isNothing && value !== ''
    case 'isnull':
      return isNothing
    case 'isnotnull':
      return !isNothing
    default:
      return value !== true
  }
}

function isAmong(operator: string, value: Json | undefined, items: readonly Expression[], row: JsonObject): boolean {
  const fold = (text: string): string => (operator.endsWith('~') ? text.toLowerCase() : text)
  const found = items.some((item) => fold(textOf(evaluate(item, row))) === fold(textOf(value)))
  return operator.startsWith('!') ? !found : found
}

function combine(operator: string, left: Expression, right: Expression, row: JsonObject): boolean {
  const a = evaluate(left, row)
  if (operator === 'and') return a === true && evaluate(right, row) === true
  if (operator === 'or') return a === true || evaluate(right, row) === true
  const b = evaluate(right, row)
  const [text, other] = [textOf(a).toLowerCase(), textOf(b).toLowerCase()]
  switch (operator) {
    case '==':
      return textOf(a) === textOf(b)
    case '!=':
      return textOf(a) !== textOf(b)
    case '=~':
      return text === other
    case '!~':
      return text !== other
    case 'contains':
      return text.includes(other)
    case '!contains':
      return !text.includes(other)
    case 'startswith':
      return text.startsWith(other)
    case 'endswith':
      return text.endsWith(other)
    default:
      return inOrder(operator, compare(a, b))
  }
}

function inOrder(operator: string, order: number): boolean {
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

function textOf(value: Json | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
