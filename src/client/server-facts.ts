import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'

/**
 * What a running server tells the clients of its own machine, in `<data>/server.json`: where it listens and how to sign
 * in. It holds no secret: `clientSecretFile` is readable by the server's user only.
 */
const serverFactsSchema = Type.Object({
  pid: Type.Integer(),
  /** Tells the process from a later one of the same id; empty where the system does not say. */
  processMark: Type.String(),
  startedAt: Type.String(),
  /** HTTPS. */
  endpoint: Type.String(),
  httpEndpoint: Type.String(),
  caFile: Type.String(),
  tenantId: Type.String(),
  subscriptionId: Type.String(),
  clientId: Type.String(),
  clientSecretFile: Type.String(),
})
export type ServerFacts = Static<typeof serverFactsSchema>

export const serverFactsFile = 'server.json'

/** Undefined for anything else, e.g. the file of another release. */
export function findServerFacts(text: string): ServerFacts | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(serverFactsSchema, value) ? value : undefined
  } catch {
    return undefined
  }
}
