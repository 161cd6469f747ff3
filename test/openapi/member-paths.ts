import { isNode } from './json-schema.ts'
import type { JsonSchema, PublishedModel } from './json-schema.ts'

/** `properties.targetRegions[].name`: the place of a member, positions in arrays and names in maps left out. */
export type MemberPath = string

/** Every member of a document, inner ones too. */
export function membersOf(value: unknown, at: MemberPath = ''): ReadonlySet<MemberPath> {
  const found = new Set<MemberPath>()
  walk(value, at, (path) => found.add(path))
  return found
}

function walk(value: unknown, at: MemberPath, visit: (path: MemberPath) => void): void {
  if (Array.isArray(value)) for (const element of value as unknown[]) walk(element, `${at}[]`, visit)
  if (!isNode(value)) return
  for (const [name, member] of Object.entries(value)) {
    const path = at === '' ? name : `${at}.${name}`
    visit(path)
    walk(member, path, visit)
  }
}

/** Whether a published schema has a member; what stands in a map or in something untyped, it has. */
export function hasMember(schema: JsonSchema, path: MemberPath, models: readonly PublishedModel[]): boolean {
  const steps = path.split(/\.|(?=\[\])/)
  let here: JsonSchema | undefined = schema
  for (const step of steps) {
    here = resolve(here, models)
    if (here === undefined || isFree(here)) return here !== undefined
    const { properties, additionalProperties, items } = here
    if (step === '[]') here = items
    else if (properties?.[step] !== undefined) here = properties[step]
    else if (typeof additionalProperties === 'object') here = additionalProperties
    else return additionalProperties === true
  }
  return true
}

/** Every member that a published schema names, maps and what is untyped not entered; recursion ends at the second turn. */
export function publishedMembers(schema: JsonSchema, models: readonly PublishedModel[]): ReadonlySet<MemberPath> {
  const found = new Set<MemberPath>()
  const enter = (node: JsonSchema | undefined, at: MemberPath, above: readonly JsonSchema[]): void => {
    const here = node && resolve(node, models)
    if (here === undefined || above.includes(here)) return
    if (here.items !== undefined) enter(here.items, `${at}[]`, [...above, here])
    for (const [name, member] of Object.entries(here.properties ?? {})) {
      const path = at === '' ? name : `${at}.${name}`
      found.add(path)
      enter(member, path, [...above, here])
    }
  }
  enter(schema, '', [])
  return found
}

const isFree = ({ properties, additionalProperties, items, anyOf, type }: JsonSchema): boolean =>
  anyOf === undefined && items === undefined && type === undefined && !properties && additionalProperties === undefined

function resolve(schema: JsonSchema | undefined, models: readonly PublishedModel[]): JsonSchema | undefined {
  if (schema?.$ref === undefined) return schema
  const name = schema.$ref.replace('#/$defs/', '')
  return resolve(models.find(({ definitions }) => definitions[name] !== undefined)?.definitions[name], models)
}
