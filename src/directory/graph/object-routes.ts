import {
  findObjectRow,
  findObjectRows,
  insertLinkRow,
  deleteLinkRow,
  listLinkedIds,
  listLinksOf,
} from '../directory.rows.ts'
import { directoryProblems } from '../problems.ts'
import { directoryRoles } from '../roles.ts'
import type { DirectoryRole } from '../roles.ts'
import { getTenant } from '../tenants.ts'
import { bodies, parseBody } from './bodies.ts'
import { param } from './call.ts'
import type { GraphAnswer, GraphCall, GraphRoute } from './call.ts'
import { answerObject, answerTyped, checkOptions, withApplications } from './list.ts'
import { mustHave, mustRead } from './rights.ts'
import { showTenant, showTyped } from './show.ts'
import { getUser } from './user-routes.ts'

/** What is asked of any object, of the caller, and of the tenant itself. */
export function addObjectRoutes(route: GraphRoute): void {
  addSelfRoutes(route)
  addMembershipRoutes(route)
  addTenantRoutes(route)
  addRoleRoutes(route)
}

function addSelfRoutes(route: GraphRoute): void {
  route('GET', '/me', async (call) => {
    checkOptions(call)
    const { self } = call.rights
    if (self?.kind !== 'user')
      throw directoryProblems.Request_BadRequest({
        message: '/me request is only valid with delegated authentication flow: a service principal is not a user.',
      })
    return answerObject(call, self, 'users')
  })
  route('GET', '/me/ownedObjects', async (call) => {
    const { self, caller } = call.rights
    if (self === undefined) throw directoryProblems.Request_ResourceNotFound({ id: caller.objectId })
    const ids = await listLinksOf(call.room.db, call.tenantId, 'owner', [self.objectId])
    return answerTyped(call, await findObjectRows(call.room.db, call.tenantId, ids))
  })
  route('GET', '/me/memberOf', (call) => answerGroups(call, call.rights.caller.objectId))
}

function addMembershipRoutes(route: GraphRoute): void {
  route('POST', '/directoryObjects/getByIds', async (call) => {
    const { ids, types } = parseBody(bodies.getByIds, call.body)
    const found = await findObjectRows(call.room.db, call.tenantId, [...new Set(ids.map((id) => id.toLowerCase()))])
    const kinds = types?.map((type) => type.toLowerCase())
    const asked = found.filter(
      ({ kind }) => kinds === undefined || kinds.includes('directoryobject') || kinds.includes(kind.toLowerCase()),
    )
    return answerTyped(
      call,
      asked.filter(({ objectId }) => call.rights.canRead(objectId)),
    )
  })
  route('GET', '/directoryObjects/:id', async (call) => {
    checkOptions(call)
    const object = await getAny(call)
    const [pair] = await withApplications(call.room.db, [object])
    const context = { '@odata.context': `${call.home}/$metadata#directoryObjects/$entity` }
    return { status: 200, body: { ...context, ...showTyped(object, pair?.[1]) } }
  })
  for (const collection of ['directoryObjects', 'users', 'groups', 'servicePrincipals']) {
    route('POST', `/${collection}/:id/checkMemberGroups`, async (call) => {
      const { groupIds } = parseBody(bodies.checkMemberGroups, call.body)
      const asked = new Set(groupIds.map((id) => id.toLowerCase()))
      const found = await listGroups(call)
      return answerIds(
        call,
        found.filter((id) => asked.has(id)),
      )
    })
    route('POST', `/${collection}/:id/getMemberGroups`, async (call) => {
      parseBody(bodies.getMemberGroups, call.body)
      return answerIds(call, await listGroups(call))
    })
    if (collection !== 'directoryObjects')
      route('GET', `/${collection}/:id/memberOf`, async (call) => answerGroups(call, (await getAny(call)).objectId))
  }
}

/** Throws Request_ResourceNotFound; names of users count as ids, as everywhere in Graph. */
async function getAny(call: GraphCall) {
  const id = param(call, 'id')
  if (id.includes('@')) return getUser(call)
  mustRead(call.rights, id.toLowerCase())
  const found = await findObjectRow(call.room.db, call.tenantId, id.toLowerCase())
  if (found === undefined) throw directoryProblems.Request_ResourceNotFound({ id })
  return found
}

async function listGroups(call: GraphCall): Promise<readonly string[]> {
  return call.directory.listGroupIdsOf(call.tenantId, (await getAny(call)).objectId)
}

function answerIds({ home }: GraphCall, ids: readonly string[]): GraphAnswer {
  return { status: 200, body: { '@odata.context': `${home}/$metadata#Collection(Edm.String)`, value: [...ids] } }
}

async function answerGroups(call: GraphCall, objectId: string): Promise<GraphAnswer> {
  const ids = await listLinksOf(call.room.db, call.tenantId, 'member', [objectId])
  return answerTyped(call, await findObjectRows(call.room.db, call.tenantId, ids))
}

function addTenantRoutes(route: GraphRoute): void {
  const answerTenant = async (call: GraphCall) => showTenant(await getTenant(call.room, call.tenantId))
  route('GET', '/organization', async (call) => ({
    status: 200,
    body: { '@odata.context': `${call.home}/$metadata#organization`, value: [await answerTenant(call)] },
  }))
  route('GET', '/domains', async (call) => {
    const { defaultDomain: id } = await getTenant(call.room, call.tenantId)
    const domain = {
      id,
      authenticationType: 'Managed',
      isDefault: true,
      isInitial: true,
      isRoot: true,
      isVerified: true,
    }
    return { status: 200, body: { '@odata.context': `${call.home}/$metadata#domains`, value: [domain] } }
  })
}

const roles: readonly DirectoryRole[] = Object.values(directoryRoles)
const rolesPath = '/roleManagement/directory'

function showAssignment(roleId: string, principalId: string) {
  return { id: `${roleId}.${principalId}`, principalId, roleDefinitionId: roleId, directoryScopeId: '/' }
}

/** Graph's unified role management: which users and principals hold which directory role of the tenant. */
function addRoleRoutes(route: GraphRoute): void {
  route('GET', `${rolesPath}/roleDefinitions`, async (call) => {
    mustRead(call.rights)
    const value = roles.map(({ id, displayName, description }) => ({
      id,
      displayName,
      description,
      isBuiltIn: true,
      isEnabled: true,
      templateId: id,
    }))
    return {
      status: 200,
      body: { '@odata.context': `${call.home}/$metadata#roleManagement/directory/roleDefinitions`, value },
    }
  })
  route('GET', `${rolesPath}/roleAssignments`, async (call) => {
    mustRead(call.rights)
    const holders = await Promise.all(
      roles.map(async ({ id }) => {
        const found = await listLinkedIds(call.room.db, call.tenantId, 'role', id)
        return found.map((principalId) => showAssignment(id, principalId))
      }),
    )
    const context = `${call.home}/$metadata#roleManagement/directory/roleAssignments`
    return { status: 200, body: { '@odata.context': context, value: holders.flat() } }
  })
  route('POST', `${rolesPath}/roleAssignments`, assignRole)
  route('DELETE', `${rolesPath}/roleAssignments/:id`, async (call) => {
    mustHave(call.rights, directoryRoles.globalAdministrator)
    const id = param(call, 'id')
    const [roleId = '', objectId = ''] = id.toLowerCase().split('.')
    const holder = await findObjectRow(call.room.db, call.tenantId, objectId)
    // Without it nobody could administer the tenant from outside again.
    const isOperators = holder?.kind === 'servicePrincipal' && holder.appId === call.room.operator.appId
    if (
      isOperators &&
      roleId === directoryRoles.globalAdministrator.id &&
      call.tenantId === call.room.operator.tenantId
    )
      throw directoryProblems.OperatorIsProtected({ what: `The role of '${holder.displayName}'` })
    const link = { tenantId: call.tenantId, kind: 'role', ofId: roleId, objectId } as const
    if (!(await deleteLinkRow(call.room.db, link))) throw directoryProblems.Request_ResourceNotFound({ id })
    return { status: 204 }
  })
}

async function assignRole(call: GraphCall): Promise<GraphAnswer> {
  mustHave(call.rights, directoryRoles.globalAdministrator)
  const body = parseBody(bodies.roleAssignment, call.body)
  const role = roles.find(({ id }) => id === body.roleDefinitionId.toLowerCase())
  if (role === undefined || (body.directoryScopeId ?? '/') !== '/')
    throw directoryProblems.Request_BadRequest({
      message: `The role '${body.roleDefinitionId}' is not served here. There are ${roles.map(({ id, displayName }) => `${displayName} (${id})`).join(', ')}, each for the whole tenant (directoryScopeId '/').`,
    })
  const principal = await findObjectRow(call.room.db, call.tenantId, body.principalId.toLowerCase())
  if (principal?.kind !== 'user' && principal?.kind !== 'servicePrincipal')
    throw directoryProblems.Request_ResourceNotFound({ id: body.principalId })
  const { tenantId } = call
  await insertLinkRow(call.room.db, { tenantId, kind: 'role', ofId: role.id, objectId: principal.objectId })
  const context = `${call.home}/$metadata#roleManagement/directory/roleAssignments/$entity`
  return { status: 201, body: { '@odata.context': context, ...showAssignment(role.id, principal.objectId) } }
}
