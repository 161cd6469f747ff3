import type { Clock } from '../base/clock.ts'
import type { Db, DbOrTx, Tx } from '../db/tables.ts'
import type { DirectoryObject, User } from './directory.ts'
import { findObjectRow, insertObjectRow, updateObjectRow } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'

/** The installation's own client: it manages this server, and its secret rests in the identity folder. */
export interface Operator {
  readonly tenantId: string
  readonly objectId: string
  readonly appId: string
  /** In constant time. */
  isSecret(secret: string): boolean
}

/** What the functions of this room work with. */
export interface DirectoryRoom {
  readonly db: Db
  readonly clock: Clock
  readonly operator: Operator
  /**
   * Told, in the transaction that deletes them, which objects of a tenant are gone: whoever keeps rights drops theirs.
   * Await nothing in it but statements on `tx`.
   */
  readonly onDeleted: (tx: Tx, tenantId: string, objectIds: readonly string[]) => Promise<void>
  /** Told, in the transaction that gives a user another password: what came of the old one ends. */
  readonly onPasswordChanged: (tx: Tx, user: User) => Promise<void>
  /** Told, in the transaction that makes a tenant, who administers it from outside: it owns the tenant's resources too. */
  readonly onOperatorAdmitted: (tx: Tx, tenantId: string, objectId: string) => Promise<void>
}

export type ObjectOfKind<K extends DirectoryObject['kind']> = Extract<DirectoryObject, { readonly kind: K }>

/** Whatever is undefined stays as it is. */
export type Changes<T> = { readonly [K in keyof T]?: T[K] | undefined }

const kindNames = { user: 'user', group: 'group', application: 'application', servicePrincipal: 'service principal' }

export function isKind<K extends DirectoryObject['kind']>(
  object: DirectoryObject | undefined,
  kind: K,
): object is ObjectOfKind<K> {
  return object?.kind === kind
}

/** Throws Request_ResourceNotFound, also for an object of another kind: ids are not told apart. */
export async function getObject<K extends DirectoryObject['kind']>(
  db: DbOrTx,
  tenantId: string,
  objectId: string,
  kind: K,
): Promise<ObjectOfKind<K>> {
  const found = await findObjectRow(db, tenantId, objectId.toLowerCase())
  if (!isKind(found, kind)) throw directoryProblems.Request_ResourceNotFound({ id: objectId })
  return found
}

/** Throws `taken` where its name or client id belongs to another object. */
export async function insertObject<T extends DirectoryObject>(
  tx: Tx,
  object: T,
  nowMs: number,
  taken: () => Error,
): Promise<T> {
  if (!(await insertObjectRow(tx, object, nowMs))) throw taken()
  return object
}

/** Reads, changes and writes an object in one transaction. */
export function changeObject<K extends DirectoryObject['kind']>(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  kind: K,
  change: (before: ObjectOfKind<K>, tx: Tx) => Promise<ObjectOfKind<K>> | ObjectOfKind<K>,
): Promise<ObjectOfKind<K>> {
  return room.db.transaction().execute(async (tx) => {
    const after = await change(await getObject(tx, tenantId, objectId, kind), tx)
    await updateObjectRow(tx, after)
    return after
  })
}

/** Empty names make lists unreadable, very long ones rows large; 256 is Graph's limit. */
export function checkDisplayName(kind: DirectoryObject['kind'], displayName: unknown): string {
  if (typeof displayName !== 'string' || displayName.trim() === '' || displayName.length > 256)
    throw directoryProblems.Request_BadRequest({
      message: `Invalid value specified for property 'displayName' of the ${kindNames[kind]}. Give a text of 1 to 256 characters.`,
    })
  return displayName
}

export function isOperator(
  room: DirectoryRoom,
  caller: { readonly tenantId: string; readonly objectId: string },
): boolean {
  return caller.objectId === room.operator.objectId && caller.tenantId === room.operator.tenantId
}
