import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { findArmId } from '../base/arm-id.ts'
import type { NormalizedBody } from './normalize.ts'
import { contractProblems as problems } from './problems.ts'
import { resourceGroupType } from './resource-groups.ts'
import type { DraftShape, ResourceShape, ResourceTypeDeclaration } from './resource-type.ts'
import { isMemberOf, isReadOnly, type SchemaNode } from './schema.ts'
import {
  asArray,
  asObject,
  comparable,
  elementKey,
  envelopeSchema,
  errorPath,
  objectOf,
  propertiesSchema,
} from './walk.ts'

/**
 * What a PUT makes of a resource: what it says, and of the rest only what a PUT cannot take away: read-only and
 * createOnly members, those marked `kept` (a source left out is unchanged), and those its api-version cannot express.
 */
export function mergePut(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  before: ResourceShape | undefined,
  next: NormalizedBody,
): DraftShape {
  return {
    location: next.location ?? before?.location ?? '',
    tags: next.tags,
    properties: putObject(propertiesSchema(type), before?.properties ?? {}, next.properties, apiVersion),
    envelope: putObject(envelopeSchema(type), before?.envelope ?? {}, next.envelope, apiVersion),
  }
}

/** What a PATCH makes of a resource: given members replace theirs at any depth, null removes, tags and arrays as a whole. */
export function mergePatch(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  before: ResourceShape,
  patch: NormalizedBody,
): DraftShape {
  return {
    location: patch.location ?? before.location,
    tags: patch.tags ?? before.tags,
    properties: patchObject(propertiesSchema(type), before.properties, patch.properties, apiVersion),
    envelope: patchObject(envelopeSchema(type), before.envelope, patch.envelope, apiVersion),
  }
}

function survivesPut(schema: SchemaNode, apiVersion: string): boolean {
  const { createOnly, kept } = schema
  return isReadOnly(schema, apiVersion) || createOnly === true || kept === true || !isMemberOf(schema, apiVersion)
}

function putObject(schema: SchemaNode, before: JsonObject, next: JsonObject, apiVersion: string): JsonObject {
  const merged = Object.entries(schema.properties ?? {}).map(([name, member]): [string, Json | undefined] => {
    const [was, is] = [before[name], next[name]]
    if (was === undefined || was === null || member.transient === true) return [name, is]
    if (is !== undefined) return [name, putValue(member, was, is, apiVersion)]
    if (survivesPut(member, apiVersion)) return [name, was]
    if (member.properties === undefined || !isJsonObject(was)) return [name, undefined]
    // Left out as a whole; what is inside may still be protected.
    const rest = putObject(member, was, {}, apiVersion)
    return [name, Object.keys(rest).length === 0 ? undefined : rest]
  })
  return { ...next, ...objectOf(merged) }
}

function putValue(schema: SchemaNode, was: Json, is: Json, apiVersion: string): Json {
  // Said again in another case or order it is as it was made: readers look for the spelling that they know.
  if (schema.createOnly === true && isSame(schema, was, is)) return was
  if (schema.properties !== undefined && isJsonObject(was) && isJsonObject(is))
    return putObject(schema, was, is, apiVersion)
  const { items } = schema
  if (schema.key === undefined || items === undefined || !Array.isArray(is)) return is
  const olds = new Map(asArray(was).map((element) => [elementKey(schema, element), element]))
  return is.map((element: Json) => {
    const key = elementKey(schema, element)
    const old = key === undefined ? undefined : olds.get(key)
    return old === undefined ? element : putValue(items, old, element, apiVersion)
  })
}

function patchObject(schema: SchemaNode, before: JsonObject, patch: JsonObject, apiVersion: string): JsonObject {
  const kept = Object.entries(before).filter(([name]) => schema.properties?.[name]?.transient !== true)
  const changed = Object.entries(patch).map(([name, is]): [string, Json | undefined] => {
    const member = schema.properties?.[name] ?? {}
    const was = before[name]
    if (is === null || is === undefined) return [name, undefined]
    if (isJsonObject(is)) return [name, patchObject(member, asObject(was), is, apiVersion)]
    return [name, was === undefined || was === null ? is : putValue(member, was, is, apiVersion)]
  })
  // Not `objectOf` of the changes alone: an undefined there must take the old value away.
  return objectOf(new Map([...kept, ...changed]))
}

/**
 * Refuses a change of what may only be given at creation: 409 PropertyChangeNotAllowed naming the member; a change of
 * location answers ARM's InvalidResourceLocation. Values are compared canonically (ids, enums and regions in any
 * case; nothing before and a default now are the same).
 */
export function checkCreateOnly(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  before: ResourceShape,
  after: DraftShape,
): void {
  checkLocation(type, before, after)
  const say = (path: readonly string[]): string => errorPath(type, path, apiVersion)
  checkObject(propertiesSchema(type), before.properties, after.properties, ['properties'], say)
  checkObject(envelopeSchema(type), before.envelope, after.envelope, [], say)
}

function checkLocation(type: ResourceTypeDeclaration, before: ResourceShape, after: DraftShape): void {
  const [from, to] = [before.location, after.location]
  if (!type.tracked || from.toLowerCase() === to.toLowerCase()) return
  if (type.type === resourceGroupType) throw problems.InvalidResourceGroupLocation({ from, to })
  const id = findArmId(before.id)
  throw problems.InvalidResourceLocation({
    name: id?.names.join('/') ?? before.name,
    group: id?.resourceGroup ?? '',
    from,
    to,
  })
}

type Say = (path: readonly string[]) => string

function checkObject(
  schema: SchemaNode,
  before: JsonObject,
  after: JsonObject,
  path: readonly string[],
  say: Say,
): void {
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const [was, is] = [before[name], after[name]]
    const at = [...path, name]
    const isLifted = member.changeableWith !== undefined && after[member.changeableWith] === true
    if (isLifted || member.readOnly === true) continue
    if (member.createOnly === true) {
      if (!isSame(member, was, is)) throw problems.PropertyChangeNotAllowed({ path: say(at) }, { target: say(at) })
    } else if (member.properties !== undefined) checkObject(member, asObject(was), asObject(is), at, say)
    else if (member.key !== undefined) checkElements(member, asArray(was), asArray(is), at, say)
  }
}

function checkElements(
  schema: SchemaNode,
  before: readonly Json[],
  after: readonly Json[],
  path: readonly string[],
  say: Say,
): void {
  const news = new Map(after.map((element) => [elementKey(schema, element), element]))
  const olds = new Map(before.map((element) => [elementKey(schema, element), element]))
  const isFixedBroken = news.size !== olds.size || [...news.keys()].some((key) => !olds.has(key))
  if (schema.fixed !== undefined && isFixedBroken)
    throw problems.FixedElements({ text: schema.fixed }, { target: say(path) })
  for (const [key, element] of news) {
    const old = olds.get(key)
    if (key !== undefined && isJsonObject(old) && isJsonObject(element))
      checkObject(schema.items ?? {}, old, element, path, say)
  }
}

/** Refuses a range that is empty; of the whole resource, because a PATCH may bring one end alone. */
export function checkRanges(type: ResourceTypeDeclaration, after: DraftShape): void {
  const check = (schema: SchemaNode, value: JsonObject, path: readonly string[]): void => {
    const { min, max } = value
    const at = errorPath(type, path)
    if (schema.minMax === true && typeof min === 'number' && typeof max === 'number' && min > max)
      throw problems.MinGreaterThanMax({ path: at }, { target: at })
    for (const [name, member] of Object.entries(schema.properties ?? {}))
      if (member.properties !== undefined) check(member, asObject(value[name]), [...path, name])
  }
  check(propertiesSchema(type), after.properties, ['properties'])
}

/** Nothing, an empty text, an empty list and an empty object are the same: clients send any of them for "not set". */
function isNothing(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === '') return true
  return typeof value === 'object' && Object.values(value).every((member) => isNothing(member))
}

function isSame(schema: SchemaNode, was: Json | undefined, is: Json | undefined): boolean {
  if (isNothing(was) && isNothing(is)) return true
  if (was === undefined || is === undefined)
    return was === undefined && schema.defaults?.some(({ value }) => isSame({}, value as Json, is)) === true
  if (typeof was === 'string' && typeof is === 'string') return comparable(schema, was) === comparable(schema, is)
  if (Array.isArray(was) && Array.isArray(is)) return isSameArray(schema, was, is)
  if (isJsonObject(was) && isJsonObject(is)) {
    const names = new Set([...Object.keys(was), ...Object.keys(is)])
    return [...names].every((name) => isSame(schema.properties?.[name] ?? {}, was[name], is[name]))
  }
  return was === is
}

function isSameArray(schema: SchemaNode, was: readonly Json[], is: readonly Json[]): boolean {
  const sorted = (elements: readonly Json[]): readonly Json[] =>
    schema.key === undefined
      ? elements
      : elements.toSorted((a, b) => ((elementKey(schema, a) ?? '') < (elementKey(schema, b) ?? '') ? -1 : 1))
  const [left, right] = [sorted(was), sorted(is)]
  return left.length === right.length && left.every((element, at) => isSame(schema.items ?? {}, element, right[at]))
}
