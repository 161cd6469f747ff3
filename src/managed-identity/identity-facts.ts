import { isJsonObject, type JsonObject } from '../base/json.ts'

/** The `identity` member of a resource, read. Ids of principals are there once the server has given them. */
export interface IdentityFacts {
  readonly hasSystem: boolean
  readonly principalId: string | undefined
  /** Whether its type says that it has user-assigned ones. */
  readonly hasUsers: boolean
  readonly users: readonly UserAssigned[]
}

export interface UserAssigned {
  /** Of the user-assigned identity, as written. */
  readonly id: string
  readonly principalId: string | undefined
  readonly clientId: string | undefined
}

const noIdentity: IdentityFacts = { hasSystem: false, principalId: undefined, hasUsers: false, users: [] }

export function readIdentity(envelope: JsonObject | undefined): IdentityFacts {
  const identity = envelope?.['identity']
  if (!isJsonObject(identity)) return noIdentity
  const kinds = (textOf(identity['type']) ?? '').toLowerCase().split(/\s*,\s*/)
  const given = identity['userAssignedIdentities']
  const users = isJsonObject(given) ? Object.entries(given) : []
  return {
    hasSystem: kinds.includes('systemassigned'),
    principalId: textOf(identity['principalId']),
    hasUsers: kinds.includes('userassigned'),
    users: users.map(([id, value]) => ({
      id,
      principalId: isJsonObject(value) ? textOf(value['principalId']) : undefined,
      clientId: isJsonObject(value) ? textOf(value['clientId']) : undefined,
    })),
  }
}

/** As Azure shows it; undefined where there is none. */
export function formatIdentity(facts: IdentityFacts, tenantId: string): JsonObject | undefined {
  const { hasSystem, principalId, users } = facts
  if (!hasSystem && users.length === 0) return undefined
  const type = [hasSystem ? 'SystemAssigned' : '', users.length > 0 ? 'UserAssigned' : ''].filter(Boolean).join(', ')
  const entries = users.map((one) => [one.id, { principalId: one.principalId, clientId: one.clientId }] as const)
  return {
    type,
    ...(hasSystem ? { principalId, tenantId } : {}),
    ...(users.length === 0 ? {} : { userAssignedIdentities: Object.fromEntries(entries) }),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
