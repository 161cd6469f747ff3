import type { Json } from '../base/json.ts'
import type { RegionDirectory } from '../base/region.ts'
import { findCanonicalDate } from './dates.ts'
import { contractProblems as problems } from './problems.ts'
import type { SchemaNode } from './schema.ts'

/** Where in a body: for the error's target without array indexes, for its text (`Path '…'`) with them. */
export interface Place {
  readonly names: readonly string[]
  readonly path: string
  readonly say: (names: readonly string[]) => string
}

interface TextFacts {
  readonly apiVersion: string
  readonly regions: RegionDirectory
  readonly anyValue: boolean
}

/** Texts, enums, dates and regions. Undefined: an empty enum or date counts as not sent, as in .NET. */
export function normalizeText(schema: SchemaNode, value: Json, facts: TextFacts, place: Place): string | undefined {
  const target = place.say(place.names)
  if (typeof value === 'object')
    throw problems.WrongType(
      { found: Array.isArray(value) ? 'an array' : 'an object', expected: 'a string', path: place.path },
      { target },
    )
  const text = String(value)
  if (schema.enum !== undefined) return text === '' ? undefined : findSpelling(schema, schema.enum, text, facts, target)
  if (schema.date === true) {
    if (text === '') return undefined
    const date = findCanonicalDate(text)
    if (date !== undefined) return date
    throw problems.NotConvertible({ value: text, to: 'DateTimeOffset', path: place.path }, { target })
  }
  if (schema.region !== undefined) {
    const region = facts.regions.find(text)
    if (region !== undefined) return schema.region === 'short' ? region.name : region.displayName
    const allowed = facts.regions.all.map(({ displayName }) => displayName)
    throw problems.ValueNotAllowed({ value: text, path: target, allowed }, { target })
  }
  checkText(schema, text, target)
  return text
}

/** `SystemAssigned,UserAssigned` is one value however it is spaced, as .NET reads flags. */
const plain = (word: string): string => word.toLowerCase().replaceAll(/\s/g, '')

function findSpelling(
  schema: SchemaNode,
  values: readonly string[],
  text: string,
  facts: TextFacts,
  target: string,
): string {
  const allowed = values.filter((value) => facts.anyValue || (schema.valuesSince?.[value] ?? '') <= facts.apiVersion)
  const found = allowed.find((value) => plain(value) === plain(text))
  if (found !== undefined) return found
  throw problems.ValueNotAllowed({ value: text, path: target, allowed }, { target })
}

function checkText(schema: SchemaNode, text: string, target: string): void {
  const isRight =
    text.length >= (schema.minLength ?? 0) &&
    text.length <= (schema.maxLength ?? Infinity) &&
    (schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(text))
  if (isRight) return
  throw schema.complaint === undefined
    ? problems.ValueInvalid({ path: target }, { target })
    : problems.Complaint({ text: schema.complaint.replaceAll('{path}', target) }, { target })
}
