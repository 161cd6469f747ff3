import type { RightAttributes } from '../resources/extension.ts'
import { matchesAction } from './matches-action.ts'
import { accessProblems } from './problems.ts'

/**
 * Conditions of role assignments, version 2.0: the part with which Azure delegates role assignments "with constraints"
 * (learn.microsoft.com, "Delegate Azure role assignment management to others with conditions"). Whatever else the language
 * has is refused when it is written: a condition that nobody evaluates would be none.
 */
export interface Condition {
  /** As it was written. */
  readonly text: string
  readonly expression: Expression
}

type Expression =
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Expression[] }
  | { readonly kind: 'action'; readonly pattern: string }
  | { readonly kind: 'compare'; readonly attribute: string; readonly operator: Operator; readonly values: Values }
type Values = readonly string[]

const maximumLength = 8192
const maximumDepth = 50

/** True, false, or undefined where the request has no such attribute: only true lets anything through. */
type Operator = (value: string, values: Values) => boolean

const lower = (text: string): string => text.toLowerCase()
const among: Operator = (value, values) => values.includes(value)
const amongAnyCase: Operator = (value, values) => values.some((one) => lower(one) === lower(value))
const not =
  (operator: Operator): Operator =>
  (value, values) =>
    !operator(value, values)
const operators: Readonly<Record<string, Operator>> = {
  guidequals: amongAnyCase,
  'foranyofanyvalues:guidequals': amongAnyCase,
  guidnotequals: not(amongAnyCase),
  'foranyofallvalues:guidnotequals': not(amongAnyCase),
  stringequals: among,
  'foranyofanyvalues:stringequals': among,
  stringequalsignorecase: amongAnyCase,
  'foranyofanyvalues:stringequalsignorecase': amongAnyCase,
  stringnotequals: not(among),
  'foranyofallvalues:stringnotequals': not(among),
  stringnotequalsignorecase: not(amongAnyCase),
  'foranyofallvalues:stringnotequalsignorecase': not(amongAnyCase),
}
const ofAssignments = 'microsoft.authorization/roleassignments:'
const attributes = ['request', 'resource'].flatMap((source) =>
  ['roledefinitionid', 'principalid', 'principaltype'].map((name) => `${source}:${name}`),
)

const tokenRule =
  /\s+|(?<mark>&&|\|\||[(){},!])|@(?<source>\w+)\s*\[(?<attribute>[^\]]+)\]|'(?<text>[^']*)'|(?<word>[A-Za-z0-9:_.*/-]+)/y

interface Token {
  readonly kind: 'mark' | 'attribute' | 'text' | 'word'
  readonly value: string
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length;) {
    tokenRule.lastIndex = at
    const match = tokenRule.exec(text)
    if (!match) throw refuse(`'${text.slice(at, at + 20)}' is not understood`)
    at += match[0].length
    const { mark, source, attribute, text: quoted, word } = match.groups ?? {}
    if (mark !== undefined) tokens.push({ kind: 'mark', value: mark })
    else if (source !== undefined) tokens.push({ kind: 'attribute', value: attributeOf(source, attribute ?? '') })
    else if (quoted !== undefined) tokens.push({ kind: 'text', value: quoted })
    else if (word !== undefined) tokens.push({ kind: 'word', value: word })
  }
  return tokens
}

function attributeOf(source: string, name: string): string {
  const own = lower(name.trim())
  const found = `${lower(source)}:${own.startsWith(ofAssignments) ? own.slice(ofAssignments.length) : own}`
  if (attributes.includes(found) && own.startsWith(ofAssignments)) return found
  throw refuse(`the attribute '@${source}[${name}]' is not one of role assignments`)
}

function refuse(why: string): Error {
  return accessProblems.ConditionNotSupported({ why }, { target: 'properties.condition' })
}

/** Throws RoleAssignmentConditionNotSupported for what this server does not evaluate. */
export function parseCondition(text: string): Condition {
  if (text.length > maximumLength) throw refuse(`it has more than ${maximumLength} characters`)
  const tokens = tokensOf(text)
  let at = 0
  const peek = (): string => lower(tokens[at]?.value ?? '')
  const take = (...marks: readonly string[]): boolean => {
    const isHere = tokens[at]?.kind !== 'text' && marks.includes(peek())
    if (isHere) at += 1
    return isHere
  }
  const need = (mark: string): void => {
    if (!take(mark)) throw refuse(`'${mark}' is expected ${at < tokens.length ? `before '${peek()}'` : 'at its end'}`)
  }
  const value = (): string => {
    const token = tokens[at]
    if (token?.kind !== 'text' && token?.kind !== 'word') throw refuse(`a value is expected before '${peek()}'`)
    at += 1
    return token.value
  }
  const values = (): Values => {
    if (!take('{')) return [value()]
    const all = [value()]
    while (take(',')) all.push(value())
    need('}')
    return all
  }
  const many = (kind: 'and' | 'or', marks: readonly string[], next: (depth: number) => Expression) => {
    return (depth: number): Expression => {
      const first = next(depth)
      const all = [first]
      while (take(...marks)) all.push(next(depth))
      return all.length === 1 ? first : { kind, of: all }
    }
  }
  const single = (depth: number): Expression => {
    if (depth > maximumDepth) throw refuse('it is nested too deeply')
    if (take('!', 'not')) return { kind: 'not', of: single(depth + 1) }
    if (take('(')) {
      const inner = either(depth + 1)
      need(')')
      return inner
    }
    if (take('actionmatches')) {
      need('{')
      const pattern = value()
      need('}')
      return { kind: 'action', pattern }
    }
    const token = tokens[at]
    if (token?.kind !== 'attribute') throw refuse(`'${token?.value ?? ''}' is not supported there`)
    at += 1
    const name = value()
    const operator = operators[lower(name)]
    if (!operator) throw refuse(`the operator '${name}' is not supported`)
    return { kind: 'compare', attribute: token.value, operator, values: values() }
  }
  const either = many('or', ['or', '||'], many('and', ['and', '&&'], single))
  const expression = either(0)
  if (at < tokens.length) throw refuse(`'${tokens[at]?.value}' is left over`)
  return { text, expression }
}

/** Whether an assignment counts for an action: only where its condition is certainly true of the request. */
export function isMet(condition: Condition | undefined, action: string, known: RightAttributes): boolean {
  return condition === undefined || evaluate(condition.expression, action, known) === true
}

function evaluate(expression: Expression, action: string, known: RightAttributes): boolean | undefined {
  switch (expression.kind) {
    case 'action':
      return matchesAction(expression.pattern, action)
    case 'compare': {
      const value = known[expression.attribute]
      return value === undefined ? undefined : expression.operator(value, expression.values)
    }
    case 'not': {
      const inner = evaluate(expression.of, action, known)
      return inner === undefined ? undefined : !inner
    }
    case 'and':
    case 'or': {
      const all = expression.of.map((one) => evaluate(one, action, known))
      const decisive = expression.kind === 'or'
      if (all.includes(decisive)) return decisive
      return all.includes(undefined) ? undefined : !decisive
    }
  }
}
