import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { ancestorKeys, scopeKey } from '../base/scope.ts'
import { locks } from '../contract/extension-types.ts'
import type { Db } from '../db/tables.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult } from '../resources/extension.ts'
import { parseFilter } from './filter.ts'
import { deleteLock, findLock, listLocksAt, listLocksBelow, lockLevels, putLock } from './lock.rows.ts'
import type { Lock } from './lock.rows.ts'
import { accessProblems } from './problems.ts'

/** Refusals name so many locked scopes. */
const namedLocks = 5
const listed = 1_000

/**
 * Throws ScopeLocked where a lock stands in the way: any lock at the scope or above it of a deletion, and any lock of
 * what is inside, which would go with it; a ReadOnly one at the scope or above it of writes and actions.
 */
export async function checkLocks(db: Db, operation: 'write' | 'delete', scope: string): Promise<void> {
  const key = scopeKey(scope)
  const above = await listLocksAt(db, ancestorKeys(key))
  const standing = operation === 'write' ? above.filter((lock) => lock.level === 'ReadOnly') : above
  const inside = operation === 'delete' ? await listLocksBelow(db, key, namedLocks) : []
  const locked = [...new Set([...standing, ...inside].map((lock) => lock.scope))].slice(0, namedLocks)
  if (locked.length > 0) throw accessProblems.ScopeLocked({ scope, operation, locked })
}

export function locksBehaviour(db: Db): ExtensionBehaviour {
  return {
    type: locks,
    async list(call) {
      const { calls } = parseFilter(call.query['$filter'], ['atScope()'])
      const { key } = call.scope
      const found = calls.has('atscope')
        ? await listLocksAt(db, ancestorKeys(key))
        : [...(await listLocksAt(db, [key])), ...(await listLocksBelow(db, key, listed))]
      return { kind: 'shown', body: { value: found.map(showLock) } }
    },
    async read(call) {
      const found = await findLock(db, call.scope.key, nameOf(call))
      if (!found) throw accessProblems.LockNotFound({ name: nameOf(call) })
      return { kind: 'shown', body: showLock(found) }
    },
    write: (call) => writeLock(db, call),
    async remove(call) {
      return (await deleteLock(db, call.scope.key, nameOf(call))) ? { kind: 'shown', body: {} } : { kind: 'nothing' }
    },
  }
}

function nameOf({ names }: ExtensionCall): string {
  return names[0] ?? ''
}

async function writeLock(db: Db, call: ExtensionCall): Promise<ExtensionResult> {
  const name = nameOf(call)
  const refuse = (reason: string): Error => accessProblems.InvalidLock({ reason })
  if (name.length > 260 || /[<>%&:?/\\]/.test(name))
    throw refuse(`the name '${name}' has one of <>%&:?/\\ or is too long.`)
  const properties = isJsonObject(call.body['properties']) ? call.body['properties'] : {}
  const { level: given, notes } = properties
  const level = lockLevels.find((one) => typeof given === 'string' && one.toLowerCase() === given.toLowerCase())
  if (level === undefined) throw refuse(`'properties.level' must be one of '${lockLevels.join(', ')}'.`)
  if (notes !== undefined && notes !== null && typeof notes !== 'string')
    throw refuse("'properties.notes' is not a text.")
  if (typeof notes === 'string' && notes.length > 512) throw refuse("'properties.notes' has more than 512 characters.")
  const before = await findLock(db, call.scope.key, name)
  const { objectId } = call.caller
  const lock: Lock = {
    scope: call.scope.id,
    scopeKey: call.scope.key,
    name: before?.name ?? name,
    level,
    notes: notes ?? undefined,
    createdMs: before?.createdMs ?? call.nowMs,
    createdBy: before?.createdBy ?? objectId,
    updatedMs: call.nowMs,
    updatedBy: objectId,
  }
  await putLock(db, lock)
  return { kind: before ? 'shown' : 'created', body: showLock(lock) }
}

function showLock({ scope, name, level, notes }: Lock): JsonObject {
  return {
    properties: { level, ...(notes === undefined ? {} : { notes }) },
    id: `${scope}/providers/Microsoft.Authorization/locks/${name}`,
    type: 'Microsoft.Authorization/locks',
    name,
  }
}
