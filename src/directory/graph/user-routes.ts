import type { User } from '../directory.ts'
import { findUniqueRow } from '../directory.rows.ts'
import { directoryProblems } from '../problems.ts'
import { deleteObject } from '../remove.ts'
import { getObject } from '../room.ts'
import { createUser, inviteGuest, updateUser } from '../users.ts'
import { bodies, parseBody, pickDetails } from './bodies.ts'
import { param } from './call.ts'
import type { GraphAnswer, GraphCall, GraphRoute } from './call.ts'
import { answerObject, checkOptions, listObjects } from './list.ts'
import { mustChange, mustCreate, mustRead } from './rights.ts'
import { showObject } from './show.ts'

export function addUserRoutes(route: GraphRoute): void {
  route('GET', '/users', async (call) => {
    mustRead(call.rights)
    return listObjects(call, 'user', 'users')
  })
  route('POST', '/users', create)
  route('GET', '/users/:id', async (call) => {
    checkOptions(call)
    const user = await getUser(call)
    mustRead(call.rights, user.objectId)
    return answerObject(call, user, 'users')
  })
  route('PATCH', '/users/:id', update)
  route('DELETE', '/users/:id', async (call) => {
    const user = await getUser(call)
    await mustChange(call.room.db, call.rights, user)
    await deleteObject(call.room, call.tenantId, user.objectId, 'user')
    return { status: 204 }
  })
  route('POST', '/invitations', invite)
  route('POST', '/me/changePassword', changePassword)
}

/** By id or principal name. Who may not read is told so before it learns whether there is such a user. */
export async function getUser(call: GraphCall): Promise<User> {
  const id = param(call, 'id')
  if (!id.includes('@')) {
    mustRead(call.rights, id.toLowerCase())
    return getObject(call.room.db, call.tenantId, id, 'user')
  }
  const found = await findUniqueRow(call.room.db, { kind: 'user', name: id })
  if (found?.kind === 'user' && found.tenantId === call.tenantId) {
    mustRead(call.rights, found.objectId)
    return found
  }
  mustRead(call.rights)
  throw directoryProblems.Request_ResourceNotFound({ id })
}

async function create(call: GraphCall): Promise<GraphAnswer> {
  mustCreate(call.rights, 'user')
  const body = parseBody(bodies.user, call.body)
  const missing = (property: string): Error =>
    directoryProblems.Request_BadRequest({
      message: `A value is required for property '${property}' of resource 'User'.`,
    })
  if (body.userType === 'Guest')
    throw directoryProblems.Request_BadRequest({ message: 'Guests are invited: POST /invitations.' })
  const password = body.passwordProfile?.password
  if (typeof body.userPrincipalName !== 'string') throw missing('userPrincipalName')
  if (typeof password !== 'string') throw missing('passwordProfile')
  const user = await createUser(call.room, call.tenantId, {
    userPrincipalName: body.userPrincipalName,
    displayName: body.displayName ?? '',
    mailNickname: body.mailNickname ?? body.userPrincipalName.split('@')[0],
    mail: body.mail ?? undefined,
    accountEnabled: body.accountEnabled ?? undefined,
    password,
    details: pickDetails(body, 'user'),
  })
  return answerObject(call, user, 'users', 201)
}

async function update(call: GraphCall): Promise<GraphAnswer> {
  const user = await getUser(call)
  await mustChange(call.room.db, call.rights, user)
  const body = parseBody(bodies.user, call.body)
  await updateUser(call.room, call.tenantId, user.objectId, {
    userPrincipalName: body.userPrincipalName ?? undefined,
    displayName: body.displayName ?? undefined,
    mailNickname: body.mailNickname ?? undefined,
    mail: body.mail ?? undefined,
    accountEnabled: body.accountEnabled ?? undefined,
    password: body.passwordProfile?.password ?? undefined,
    details: pickDetails(body, 'user'),
  })
  return { status: 204 }
}

async function changePassword(call: GraphCall): Promise<GraphAnswer> {
  const { self } = call.rights
  const body = parseBody(bodies.changePassword, call.body)
  if (self?.kind !== 'user' || !(await call.directory.isPassword(self, body.currentPassword)))
    throw directoryProblems.Request_BadRequest({ message: 'The specified current password is not right.' })
  await updateUser(call.room, call.tenantId, self.objectId, { password: body.newPassword })
  return { status: 204 }
}

async function invite(call: GraphCall): Promise<GraphAnswer> {
  mustCreate(call.rights, 'user')
  const body = parseBody(bodies.invitation, call.body)
  const guest = await inviteGuest(call.room, call.tenantId, {
    userPrincipalName: body.invitedUserEmailAddress,
    displayName: body.invitedUserDisplayName ?? undefined,
  })
  return {
    status: 201,
    body: {
      '@odata.context': `${call.home}/$metadata#invitations/$entity`,
      id: guest.objectId,
      inviteRedirectUrl: body.inviteRedirectUrl ?? null,
      invitedUserDisplayName: guest.displayName,
      invitedUserEmailAddress: body.invitedUserEmailAddress,
      invitedUserType: 'Guest',
      // Nobody is written to: a guest of this server signs in at its home, and is let in.
      sendInvitationMessage: false,
      status: 'Completed',
      invitedUser: showObject(guest),
    },
  }
}
