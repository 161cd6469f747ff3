import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { JsonSchema, PublishedModel, PublishedOperation } from './json-schema.ts'

/** One request and its answer, as `record-traffic.ts` wrote them. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly request: string
  readonly response: string
}

export interface Verdict {
  /** How many exchanges a published operation speaks about. */
  readonly checked: number
  /** Exchanges that no model on disk covers, by `METHOD type api-version`. */
  readonly uncovered: ReadonlyMap<string, number>
  /** Distinct deviations with the first exchange that shows each. */
  readonly findings: ReadonlyMap<string, string>
}

/** Members and query words of ours that Azure's clients ignore; each is named in docs/compatibility.md. */
export interface Allowed {
  /** A deviation that is accepted, by its text, with the reason. */
  readonly deviations: readonly { readonly text: RegExp; readonly why: string }[]
}

/** Holds recorded exchanges against the published models: requests that were accepted, and every answer. */
export function checkTraffic(
  exchanges: Iterable<Exchange>,
  models: readonly PublishedModel[],
  allowed: Allowed,
): Verdict {
  const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false })
  addFormats.default(ajv)
  for (const format of [
    'int32',
    'int64',
    'double',
    'float',
    'byte',
    'password',
    'arm-id',
    'decimal',
    'duration-constant',
  ])
    ajv.addFormat(format, true)
  ajv.addSchema({ $id: 'published', $defs: Object.assign({}, ...models.map((model) => model.definitions)) })
  const validators = new Map<JsonSchema, ValidateFunction>()
  const validate = (schema: JsonSchema, value: unknown): readonly ErrorObject[] => {
    let validator = validators.get(schema)
    if (!validator) validators.set(schema, (validator = ajv.compile(rooted(schema))))
    return validator(value) ? [] : (validator.errors ?? [])
  }
  const findOperation = operationFinder(models)
  const uncovered = new Map<string, number>()
  const findings = new Map<string, string>()
  let checked = 0
  for (const exchange of exchanges) {
    const operation = findOperation(exchange)
    if (!operation) {
      const name = labelOf(exchange)
      uncovered.set(name, (uncovered.get(name) ?? 0) + 1)
      continue
    }
    checked += 1
    for (const text of deviationsOf(exchange, operation, validate)) {
      if (allowed.deviations.some((one) => one.text.test(text))) continue
      if (!findings.has(text)) findings.set(text, `${exchange.method} ${exchange.url} -> ${exchange.status}`)
    }
  }
  return { checked, uncovered, findings }
}

/** References inside a schema point into the one document of definitions. */
function rooted(schema: JsonSchema): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"published#/$defs/')) as object
}

function operationFinder(models: readonly PublishedModel[]) {
  const byKey = new Map<string, PublishedOperation[]>()
  // Earlier models come first: a swagger knows more than what stands in for it.
  for (const operation of models.flatMap((model) => model.operations)) {
    const key = `${operation.method} ${operation.apiVersion}`
    byKey.set(key, [...(byKey.get(key) ?? []), operation])
  }
  return ({ method, url }: Exchange): PublishedOperation | undefined => {
    const { pathname, searchParams } = new URL(url, 'http://host')
    const apiVersion = searchParams.get('api-version') ?? ''
    return byKey.get(`${method} ${apiVersion}`)?.find((operation) => operation.path.test(pathname))
  }
}

function labelOf({ method, url }: Exchange): string {
  const { pathname, searchParams } = new URL(url, 'http://host')
  const after = pathname.split(/\/providers\//i).at(-1) ?? ''
  const [namespace = '', ...rest] = after.split('/')
  const type = rest.filter((_, index) => index % 2 === 0).join('/')
  return `${method} ${pathname.includes('/providers/') ? `${namespace}/${type}` : 'Microsoft.Resources'} ${searchParams.get('api-version') ?? '(none)'}`
}

type Validate = (schema: JsonSchema, value: unknown) => readonly ErrorObject[]

function deviationsOf(exchange: Exchange, operation: PublishedOperation, validate: Validate): string[] {
  const { status } = exchange
  const found: string[] = []
  const body = parse(exchange.response)
  const say = (what: string, errors: readonly ErrorObject[]): void => {
    for (const error of errors) found.push(`${operation.source} ${what}: ${describe(error)}`)
  }
  if (status >= 400) {
    if (operation.error && exchange.method !== 'HEAD') say(`error ${status}`, validate(operation.error, body))
    return found
  }
  if (!operation.responses.has(status)) found.push(`${operation.source} answered ${status}, which is not published`)
  const schema = operation.responses.get(status)
  if (schema && exchange.response !== '') say(`answer ${status}`, validate(schema, body))
  if (operation.body && exchange.request !== '') say('request', validate(operation.body, parse(exchange.request)))
  return found
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Positions in arrays and names in maps do not make a deviation another one. */
function describe({ instancePath, message, params }: ErrorObject): string {
  const extra = 'additionalProperty' in params ? ` '${String(params['additionalProperty'])}'` : ''
  return `${instancePath.replaceAll(/\/\d+/g, '/*') || '/'} ${message ?? ''}${extra}`
}
