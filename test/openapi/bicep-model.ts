import { readFileSync } from 'node:fs'
import { nodeAt, pathPattern } from './json-schema.ts'
import type { JsonSchema, Node, PublishedModel, PublishedOperation } from './json-schema.ts'

/**
 * Reads the types that Bicep publishes per api-version: the whole model of each resource, read-only members too. They
 * stand in for the swagger of the api-versions that are not on disk; they say nothing about lists and actions but what
 * follows from the resource.
 */
export function readBicepTypes(files: readonly string[]): PublishedModel {
  const definitions: Record<string, JsonSchema> = {}
  const operations: PublishedOperation[] = []
  for (const file of files) {
    const types = JSON.parse(readFileSync(file, 'utf8')) as readonly Node[]
    const prefix = file.split('/').at(-2)?.replaceAll('-', '_') ?? ''
    types.forEach((type, index) => (definitions[`bicep_${prefix}_${index}`] = plain(type, prefix)))
    for (const type of types) if (type['$type'] === 'ResourceType') operations.push(...operationsOf(type, prefix))
  }
  return { operations, definitions }
}

function reference(value: unknown, prefix: string): JsonSchema {
  const target = String(nodeAt(value)['$ref'])
  return { $ref: `#/$defs/bicep_${prefix}_${target.slice(2)}` }
}

function plain(type: Node, prefix: string): JsonSchema {
  switch (type['$type']) {
    case 'StringType':
      return { type: 'string', ...(typeof type['pattern'] === 'string' ? { pattern: type['pattern'] } : {}) }
    case 'StringLiteralType':
      return { type: 'string', enum: [type['value']] }
    case 'IntegerType':
      return { type: 'integer' }
    case 'BooleanType':
      return { type: 'boolean' }
    case 'ArrayType':
      return { type: 'array', items: reference(type['itemType'], prefix) }
    case 'UnionType':
      return { anyOf: (type['elements'] as readonly unknown[]).map((one) => reference(one, prefix)) }
    case 'ObjectType':
      return objectOf(type, prefix)
    default:
      return {}
  }
}

function objectOf(type: Node, prefix: string): JsonSchema {
  const members = Object.entries(nodeAt(type, 'properties'))
  const more = type['additionalProperties']
  return {
    type: 'object',
    properties: Object.fromEntries(members.map(([name, member]) => [name, reference(nodeAt(member)['type'], prefix)])),
    additionalProperties: more === undefined ? members.length === 0 : reference(more, prefix),
  }
}

function operationsOf(resource: Node, prefix: string): PublishedOperation[] {
  const [type = '', apiVersion = ''] = String(resource['name']).split('@')
  const [namespace = '', ...names] = type.split('/')
  const base = '/subscriptions/{s}/resourceGroups/{g}/providers'
  const list = names.map((name, index) => (index === names.length - 1 ? name : `${name}/{n}`)).join('/')
  const body = reference(resource['body'], prefix)
  const source = `${type} (${apiVersion}, Bicep)`
  const one = pathPattern(`${base}/${namespace}/${list}/{n}`)
  const all = pathPattern(`${base}/${namespace}/${list}`)
  const page: JsonSchema = {
    type: 'object',
    properties: { value: { type: 'array', items: body }, nextLink: { type: 'string' } },
    required: ['value'],
    additionalProperties: false,
  }
  const shown = (statuses: readonly number[]): ReadonlyMap<number, JsonSchema | undefined> =>
    new Map(statuses.map((status) => [status, body]))
  return [
    { source, apiVersion, method: 'PUT', path: one, body, responses: shown([200, 201, 202]) },
    { source, apiVersion, method: 'PATCH', path: one, responses: shown([200, 202]) },
    { source, apiVersion, method: 'GET', path: one, responses: shown([200]) },
    { source, apiVersion, method: 'DELETE', path: one, responses: new Map([200, 202, 204].map((s) => [s, undefined])) },
    { source, apiVersion, method: 'GET', path: all, responses: new Map([[200, page]]) },
  ]
}
