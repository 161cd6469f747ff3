import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isNode, nodeAt, pathPattern } from './json-schema.ts'
import type { JsonSchema, Node, PublishedModel, PublishedOperation } from './json-schema.ts'

const methods = ['get', 'put', 'patch', 'post', 'delete', 'head'] as const

/** What is kept of a schema as it is written; the rest (descriptions, x-ms-…) means nothing to a validator. */
const kept = ['enum', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'format'] as const

interface Place {
  readonly file: string
  readonly pointer: string
}

/**
 * Reads swagger 2.0 files into plain JSON Schema. `allOf` is merged and objects are closed (a member that no definition
 * has is a finding: it says that something is shown in an api-version that does not know it).
 */
export function readSwaggers(files: readonly string[]): PublishedModel {
  const reader = new SwaggerReader()
  const operations = files.flatMap((file) => reader.operations(file))
  return { operations, definitions: reader.definitions }
}

class SwaggerReader {
  readonly definitions: Record<string, JsonSchema> = {}
  readonly #documents = new Map<string, Node>()

  operations(file: string): PublishedOperation[] {
    const document = this.#document(file)
    const apiVersion = String(nodeAt(document, 'info')['version'])
    return Object.entries(nodeAt(document, 'paths')).flatMap(([path, entry]) =>
      methods.flatMap((method) => {
        const operation = nodeAt(entry, method)
        return operation['operationId'] === undefined
          ? []
          : [this.#operation(file, apiVersion, path, method, operation)]
      }),
    )
  }

  #operation(file: string, apiVersion: string, path: string, method: string, operation: Node): PublishedOperation {
    const listed = operation['parameters']
    const parameters = (Array.isArray(listed) ? listed : []).map((one: unknown) => this.#follow(file, one))
    const body = parameters.find(({ node }) => node['in'] === 'body')
    const responses = new Map<number, JsonSchema | undefined>()
    let error: JsonSchema | undefined
    for (const [status, response] of Object.entries(nodeAt(operation, 'responses'))) {
      const { node, file: at } = this.#follow(file, response)
      const schema = node['schema'] === undefined ? undefined : this.#schema(at, nodeAt(node, 'schema'))
      if (status === 'default') error = schema
      else responses.set(Number(status), schema)
    }
    return {
      source: `${String(operation['operationId'])} (${apiVersion})`,
      apiVersion,
      method: method.toUpperCase(),
      path: pathPattern(path),
      body: body && this.#schema(body.file, nodeAt(body.node, 'schema')),
      responses,
      error,
    }
  }

  #document(file: string): Node {
    const known = this.#documents.get(file)
    if (known) return known
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (!isNode(parsed)) throw new Error(`${file} is not a swagger document`)
    this.#documents.set(file, parsed)
    return parsed
  }

  #place(file: string, reference: string): Place {
    const [target = '', pointer = ''] = reference.split('#')
    return { file: target === '' ? file : resolve(dirname(file), target), pointer }
  }

  #follow(file: string, value: unknown): { readonly file: string; readonly node: Node } {
    const node = nodeAt(value)
    if (typeof node['$ref'] !== 'string') return { file, node }
    const place = this.#place(file, node['$ref'])
    return this.#follow(place.file, nodeAt(this.#document(place.file), ...place.pointer.split('/').slice(1)))
  }

  /** A schema as JSON Schema; references become `#/$defs/…`, each read once (definitions may name themselves). */
  #schema(file: string, node: Node): JsonSchema {
    if (typeof node['$ref'] === 'string') {
      const place = this.#place(file, node['$ref'])
      const name = `${place.file}${place.pointer}`.replaceAll(/[^A-Za-z0-9]+/g, '_')
      if (this.definitions[name] === undefined) {
        this.definitions[name] = {}
        const target = this.#follow(file, node)
        this.definitions[name] = this.#plain(target.file, target.node)
      }
      return { $ref: `#/$defs/${name}` }
    }
    return this.#plain(file, node)
  }

  #plain(file: string, node: Node): JsonSchema {
    const own = Object.fromEntries(kept.flatMap((name) => (node[name] === undefined ? [] : [[name, node[name]]])))
    if (node['type'] === 'array') return { type: 'array', items: this.#schema(file, nodeAt(node, 'items')) }
    const isObject = node['type'] === 'object' || node['properties'] !== undefined || node['allOf'] !== undefined
    if (!isObject) return { ...own, ...(typeof node['type'] === 'string' ? { type: node['type'] } : {}) }
    const { properties, required, open } = this.#members(file, node)
    // An object of which nothing is said takes everything.
    const free = open ?? (Object.keys(properties).length === 0 ? true : undefined)
    return { type: 'object', properties, required, additionalProperties: free ?? false }
  }

  #members(file: string, node: Node) {
    const properties: Record<string, JsonSchema> = {}
    const required: string[] = []
    let open: boolean | JsonSchema | undefined
    const parts = Array.isArray(node['allOf']) ? (node['allOf'] as unknown[]) : []
    for (const part of parts) {
      const target = this.#follow(file, part)
      const base = this.#members(target.file, target.node)
      Object.assign(properties, base.properties)
      required.push(...base.required)
      open ??= base.open
    }
    for (const [name, schema] of Object.entries(nodeAt(node, 'properties')))
      properties[name] = this.#schema(file, nodeAt(schema))
    if (Array.isArray(node['required'])) required.push(...node['required'].map(String))
    const more = node['additionalProperties']
    if (more !== undefined) open = isNode(more) ? this.#schema(file, more) : more === true
    return { properties, required: [...new Set(required)], open }
  }
}
