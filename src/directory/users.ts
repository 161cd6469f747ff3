import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { User } from './directory.ts'
import { findUniqueRow, listGuestRows, putSecretRow } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'
import { changeObject, checkDisplayName, getObject, insertObject } from './room.ts'
import type { DirectoryRoom } from './room.ts'
import { hashPassword } from './secrets.ts'
import { getTenant } from './tenants.ts'

export interface UserDraft {
  readonly userPrincipalName: string
  readonly displayName: string
  readonly mailNickname?: string | undefined
  readonly mail?: string | undefined
  readonly accountEnabled?: boolean | undefined
  readonly password: string
  readonly details?: JsonObject | undefined
}

/** Whatever is undefined stays as it is. */
export interface UserChange {
  readonly userPrincipalName?: string | undefined
  readonly displayName?: string | undefined
  readonly mailNickname?: string | undefined
  readonly mail?: string | undefined
  readonly accountEnabled?: boolean | undefined
  readonly password?: string | undefined
  readonly details?: JsonObject | undefined
}

/** The key id under which a user's one password rests. */
const passwordKey = 'password'
/** The characters of Entra ID's policy for principal names. */
const localPart = /^[a-z0-9'._!#^~-]{1,64}$/i

function refuse(message: string): never {
  throw directoryProblems.Request_BadRequest({ message })
}

function checkPrincipalName(name: string, domain: string): string {
  const at = name.lastIndexOf('@')
  if (at < 1 || !localPart.test(name.slice(0, at)) || name.slice(0, at).includes('#'))
    refuse(`Property userPrincipalName is invalid: '${name}'. Give NAME@${domain}, of letters, digits and '.-_!^~.`)
  if (name.slice(at + 1).toLowerCase() !== domain)
    refuse(
      `The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization: '${domain}'.`,
    )
  return name
}

/** Entra ID's rule: 8 to 256 characters of at least three of the four sorts. */
function checkPassword(password: string): string {
  const sorts = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((sort) => sort.test(password)).length
  if (password.length < 8 || password.length > 256 || sorts < 3)
    refuse(
      'The specified password does not comply with password complexity requirements. Give 8 to 256 characters, of three of: lower case, upper case, digits, others.',
    )
  return password
}

function nameTaken(userPrincipalName: string): Error {
  return directoryProblems.PropertyTaken({ property: 'userPrincipalName', value: userPrincipalName })
}

/** Throws Request_BadRequest for a name outside the tenant's domain, a taken one, or a weak password. */
export async function createUser(room: DirectoryRoom, tenantId: string, draft: UserDraft): Promise<User> {
  const { defaultDomain } = await getTenant(room, tenantId)
  const nowMs = room.clock.now()
  const user: User = {
    kind: 'user',
    tenantId,
    objectId: randomUuid(),
    userPrincipalName: checkPrincipalName(draft.userPrincipalName, defaultDomain),
    displayName: checkDisplayName('user', draft.displayName),
    mailNickname: draft.mailNickname,
    mail: draft.mail,
    accountEnabled: draft.accountEnabled ?? true,
    userType: 'Member',
    createdDateTime: new Date(nowMs).toISOString(),
    details: draft.details,
  }
  const hash = await hashPassword(checkPassword(draft.password))
  await room.db.transaction().execute(async (tx) => {
    await insertObject(tx, user, nowMs, () => nameTaken(user.userPrincipalName))
    await putSecretRow(tx, { tenantId, objectId: user.objectId, keyId: passwordKey, hash, startMs: 0 })
  })
  return user
}

export async function updateUser(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  change: UserChange,
): Promise<User> {
  const { defaultDomain } = await getTenant(room, tenantId)
  const { password, ...rest } = change
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  if (rest.displayName !== undefined) checkDisplayName('user', rest.displayName)
  if (rest.userPrincipalName !== undefined) checkPrincipalName(rest.userPrincipalName, defaultDomain)
  const before = await getObject(room.db, tenantId, objectId, 'user')
  if (before.home !== undefined && (password !== undefined || rest.userPrincipalName !== undefined))
    refuse('A guest keeps the name and password of its home tenant. Change them there.')
  const hash = password === undefined ? undefined : await hashPassword(checkPassword(password))
  return changeObject(room, tenantId, objectId, 'user', async (user, tx) => {
    const after: User = { ...user, ...given, details: { ...user.details, ...rest.details } }
    const holder = await findUniqueRow(tx, { kind: 'user', name: after.userPrincipalName })
    if (holder !== undefined && holder.objectId !== user.objectId) throw nameTaken(after.userPrincipalName)
    if (hash !== undefined) {
      await putSecretRow(tx, { tenantId, objectId: user.objectId, keyId: passwordKey, hash, startMs: 0 })
      await room.onPasswordChanged(tx, user)
    }
    return after
  })
}

/**
 * Makes a user of another tenant of this server a guest; answers the guest that there is already. Throws
 * Request_BadRequest for an address that is nobody's here: it could never sign in.
 */
export async function inviteGuest(
  room: DirectoryRoom,
  tenantId: string,
  invited: { readonly userPrincipalName: string; readonly displayName?: string | undefined },
): Promise<User> {
  const { defaultDomain } = await getTenant(room, tenantId)
  const home = await findUniqueRow(room.db, { kind: 'user', name: invited.userPrincipalName })
  if (home?.kind !== 'user' || home.home !== undefined || home.tenantId === tenantId)
    refuse(
      `'${invited.userPrincipalName}' is not the name of a user of another tenant of this server. Invite by the userPrincipalName that it has there.`,
    )
  const nowMs = room.clock.now()
  const guest: User = {
    kind: 'user',
    tenantId,
    objectId: randomUuid(),
    // Entra ID's form of a guest's name.
    userPrincipalName: `${home.userPrincipalName.replace('@', '_')}#EXT#@${defaultDomain}`,
    displayName: checkDisplayName('user', invited.displayName ?? home.displayName),
    mail: home.userPrincipalName,
    accountEnabled: true,
    userType: 'Guest',
    home: { tenantId: home.tenantId, objectId: home.objectId },
    createdDateTime: new Date(nowMs).toISOString(),
  }
  return room.db.transaction().execute(async (tx) => {
    const known = (await listGuestRows(tx, home)).find((one) => one.tenantId === tenantId)
    if (known?.kind === 'user') return known
    return insertObject(tx, guest, nowMs, () => nameTaken(guest.userPrincipalName))
  })
}
