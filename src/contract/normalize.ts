import { isJsonObject, kindOf, type Json, type JsonObject } from '../base/json.ts'
import type { RegionDirectory } from '../base/region.ts'
import { normalizeText, type Place } from './normalize-text.ts'
import { contractProblems as problems } from './problems.ts'
import { resourceGroupType } from './resource-groups.ts'
import type { ActionDeclaration, ResourceTypeDeclaration } from './resource-type.ts'
import { isMemberOf, isReadOnly, readSchema, type SchemaNode } from './schema.ts'
import { normalizeTags } from './tags.ts'
import {
  bodySchema,
  elementKey,
  envelopeSchema,
  errorPath,
  isMap,
  mapValueSchema,
  objectOf,
  propertiesSchema,
  serverMembers,
} from './walk.ts'

/** A request's body in canonical form. With PATCH, `null` stands for a member to remove. */
export interface NormalizedBody {
  readonly location?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly properties: JsonObject
  readonly envelope: JsonObject
}

export interface NormalizeOptions {
  /** PATCH: nothing is required, and null removes. Default: PUT. */
  readonly method?: 'PUT' | 'PATCH'
  /** The resource is there: what a PUT leaves out and may not change is unchanged, so it is not missing. */
  readonly existing?: boolean
}

interface Walk {
  readonly apiVersion: string
  readonly regions: RegionDirectory
  /** Members may be absent, because something is there to fill them in. */
  readonly lenient: boolean
  /** Null is kept, to remove. */
  readonly patch: boolean
  /** Enum values younger than the api-version are taken: a client sends back what it was shown. */
  readonly anyValue: boolean
}

/**
 * Reads a request's body for one api-version: enums, regions and dates in any spelling, numbers and flags given as
 * text; drops what is read-only, unknown or not of this api-version. Throws Problems of kind `invalid` with Azure's
 * codes and texts (behaviour.md A2) at the first thing that is wrong.
 */
export function normalizeBody(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  body: unknown,
  regions: RegionDirectory,
  options: NormalizeOptions = {},
): NormalizedBody {
  if (!isJsonObject(body)) throw problems.ContentNotObject({ found: kindOf(body) })
  const patch = options.method === 'PATCH'
  const lenient = patch || options.existing === true
  const walk = { apiVersion, regions, patch, lenient, anyValue: lenient }
  const given = membersOf(bodySchema(type), body)
  const location = normalizeLocation(type, given.get('location'), walk)
  const tags = normalizeTags(given.get('tags'))
  const place = (name: string): Place => ({ names: [name], path: name, say: (path) => errorPath(type, path) })
  const properties = normalizeProperties(type, given.get('properties'), walk, place('properties'))
  const envelope = objectOf(
    normalizeMembers(envelopeSchema(type), withoutServerMembers(body), walk, (name) => place(name)),
  )
  return {
    ...(location === undefined ? {} : { location }),
    ...(tags === undefined ? {} : { tags }),
    properties: type.upgrade?.(apiVersion, properties) ?? properties,
    envelope,
  }
}

/** Reads the body of an action (`beginGetAccess`); an action without a declared body takes anything. */
export function normalizeActionBody(
  action: ActionDeclaration,
  apiVersion: string,
  body: unknown,
  regions: RegionDirectory,
): JsonObject {
  if (action.body === undefined) return isJsonObject(body) ? body : {}
  if (body !== undefined && body !== null && !isJsonObject(body))
    throw problems.ContentNotObject({ found: kindOf(body) })
  const schema = readSchema(action.body)
  const say = (names: readonly string[]): string => (names.length === 0 ? action.name : names.join('.'))
  const walk = { apiVersion, regions, patch: false, lenient: false, anyValue: false }
  const read = normalizeObject(schema, body ?? {}, walk, { names: [], path: '', say }) ?? {}
  const defaults = Object.entries(schema.properties ?? {})
    .filter(([name, member]) => read[name] === undefined && member.defaults !== undefined)
    .map(([name, member]): [string, Json | undefined] => [name, defaultOf(member, apiVersion)])
  return { ...read, ...objectOf(defaults) }
}

/** The value a member has where the request gives none; undefined: no default in this api-version. */
export function defaultOf(schema: SchemaNode, apiVersion: string): Json | undefined {
  const entry = schema.defaults?.findLast(({ since }) => since === undefined || since <= apiVersion)
  return entry === undefined ? undefined : (structuredClone(entry.value) as Json)
}

function normalizeProperties(
  type: ResourceTypeDeclaration,
  value: Json | undefined,
  walk: Walk,
  place: Place,
): JsonObject {
  const isRequired = bodySchema(type).required?.includes('properties') === true
  if (value === undefined || value === null) {
    if (isRequired && !walk.lenient) throw missing(place)
    return {}
  }
  const read = normalizeObject(propertiesSchema(type), value, walk, place) ?? {}
  // Echoed by clients that GET, change and PUT; types that keep unknown members must not keep this one.
  const { provisioningState: _, ...properties } = read
  return properties
}

function normalizeLocation(type: ResourceTypeDeclaration, value: Json | undefined, walk: Walk): string | undefined {
  if (!type.tracked) return undefined
  if (value === undefined || value === null || value === '') {
    if (walk.lenient) return undefined
    throw problems.LocationRequired({}, { target: 'location' })
  }
  const location = typeof value === 'string' ? value : JSON.stringify(value)
  const region = walk.regions.find(location)
  if (region !== undefined) return region.name
  const available = walk.regions.all.map(({ name }) => name)
  throw type.type === resourceGroupType
    ? problems.LocationNotAvailableForResourceGroup({ location, available })
    : problems.LocationNotAvailableForResourceType({ location, available, type: type.type })
}

/** The body's members under their declared names: an exact name wins over one in another case, as in .NET. */
function membersOf(schema: SchemaNode, value: JsonObject): Map<string, Json | undefined> {
  const declared = new Map(Object.keys(schema.properties ?? {}).map((name) => [name.toLowerCase(), name]))
  const members = new Map<string, Json | undefined>()
  for (const [name, member] of Object.entries(value)) {
    const known = declared.get(name.toLowerCase()) ?? name
    if (known === name || !Object.hasOwn(value, known)) members.set(known, member)
  }
  return members
}

function withoutServerMembers(body: JsonObject): JsonObject {
  const own = Object.entries(body).filter(
    ([name]) => !serverMembers.has(name) && !serverMembers.has(name.toLowerCase()),
  )
  return Object.fromEntries(own)
}

function normalizeObject(schema: SchemaNode, value: Json, walk: Walk, place: Place): JsonObject | undefined {
  if (!isJsonObject(value)) throw wrongType(place, value, 'an object')
  const below = (name: string): Place => ({
    names: [...place.names, name],
    path: place.path === '' ? name : `${place.path}.${name}`,
    say: place.say,
  })
  if (isMap(schema)) {
    const entries = Object.entries(value).map(([name, member]): [string, Json | undefined] => [
      name,
      normalizeValue(mapValueSchema(schema), member ?? null, walk, below(name)),
    ])
    return objectOf(entries)
  }
  const read = objectOf(normalizeMembers(schema, value, walk, below))
  return schema.dropEmpty === true && Object.keys(read).length === 0 ? undefined : read
}

function normalizeMembers(
  schema: SchemaNode,
  value: JsonObject,
  walk: Walk,
  below: (name: string) => Place,
): [string, Json | undefined][] {
  const given = membersOf(schema, value)
  const entries: [string, Json | undefined][] = []
  for (const [name, member] of given) {
    const known = schema.properties?.[name]
    if (known === undefined) {
      if (schema.open === true) entries.push([name, member])
    } else if (!isReadOnly(known, walk.apiVersion) && isMemberOf(known, walk.apiVersion) && member !== undefined)
      entries.push([name, normalizeValue(known, member, walk, below(name))])
  }
  const present = new Map(entries)
  for (const name of schema.required ?? []) {
    const known = schema.properties?.[name]
    if (known === undefined || isReadOnly(known, walk.apiVersion) || !isMemberOf(known, walk.apiVersion)) continue
    const isGiven = present.get(name) !== undefined && present.get(name) !== null
    const mayBeAbsent = known.defaults !== undefined || (walk.lenient && given.get(name) !== null)
    if (!isGiven && !mayBeAbsent) throw missing(below(name))
  }
  return entries
}

/** Undefined: as if it had not been sent. */
function normalizeValue(schema: SchemaNode, value: Json, walk: Walk, place: Place): Json | undefined {
  if (value === null) return walk.patch ? null : undefined
  if (schema.enum !== undefined || schema.type === 'string') return normalizeText(schema, value, walk, place)
  switch (schema.type) {
    case 'object':
      return normalizeObject(schema, value, walk, place)
    case 'array':
      return normalizeArray(schema, value, walk, place)
    case 'integer':
    case 'number':
      return normalizeNumber(schema, value, place)
    case 'boolean':
      return normalizeFlag(value, place)
    case undefined:
      return value
  }
}

function normalizeArray(schema: SchemaNode, value: Json, walk: Walk, place: Place): Json {
  if (!Array.isArray(value)) throw wrongType(place, value, 'an array')
  // An array is replaced as a whole, so each of its elements must be complete.
  const whole = { ...walk, lenient: false, patch: false }
  const elements = value.map((element: Json, index): Json => {
    const at: Place = { ...place, path: `${place.path}[${index}]` }
    const read = element === null ? undefined : normalizeValue(schema.items ?? {}, element, whole, at)
    if (read === undefined) throw missing(place)
    return read
  })
  const keys = elements.map((element) => elementKey(schema, element)).filter((key) => key !== undefined)
  if (schema.duplicates !== undefined && new Set(keys).size < keys.length)
    throw problems.Complaint({ text: schema.duplicates }, { target: place.say(place.names) })
  return elements
}

function normalizeNumber(schema: SchemaNode, value: Json, place: Place): number {
  const word = schema.type === 'integer' ? 'integer' : 'number'
  const isText = typeof value === 'string' && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(value)
  if (typeof value === 'string' && !isText)
    throw problems.NotConvertible({ value, to: word, path: place.path }, targetOf(place))
  if (typeof value !== 'number' && !isText) throw wrongType(place, value, `a${word === 'integer' ? 'n' : ''} ${word}`)
  const number = Number(value)
  if (word === 'integer' && !Number.isInteger(number))
    throw problems.NotConvertible({ value: String(value), to: word, path: place.path }, targetOf(place))
  const [min, max] = [schema.minimum ?? -Infinity, schema.maximum ?? Infinity]
  if (number < min || number > max)
    throw problems.OutOfRange({ value: number, path: place.say(place.names), min, max }, targetOf(place))
  return number
}

function normalizeFlag(value: Json, place: Place): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string') throw wrongType(place, value, 'a boolean')
  const word = value.trim().toLowerCase()
  if (word !== 'true' && word !== 'false')
    throw problems.NotConvertible({ value, to: 'boolean', path: place.path }, targetOf(place))
  return word === 'true'
}

const targetOf = (place: Place): { target: string } => ({ target: place.say(place.names) })
const missing = (place: Place) => problems.MissingParameter({ path: place.say(place.names) }, targetOf(place))
const wrongType = (place: Place, value: Json, expected: string) =>
  problems.WrongType({ found: kindOf(value), expected, path: place.path }, targetOf(place))
