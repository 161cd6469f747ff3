import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { scopeKey } from '../base/scope.ts'
import {
  checkAccess,
  classicAdministrators,
  denyAssignments,
  explainAccess,
  permissions,
  providerOperations,
} from '../contract/extension-types.ts'
import { allPermissions } from '../contract/permissions.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult } from '../resources/extension.ts'
import { decideAt, principalIdsOf } from './access.ts'
import type { AccessParts } from './access.ts'
import { isDataAction } from './data-actions.ts'
import { explainDecision, nearestRoles } from './explain.ts'
import { findPrincipal, nameOfPrincipal } from './find-principal.ts'
import { accessProblems } from './problems.ts'
import { assignmentId, showAssignment } from './role-assignments.ts'
import { showRole } from './role-definitions.ts'
import { assignmentsAt, isBelow } from './tenant-index.ts'

const readAssignments = 'Microsoft.Authorization/roleAssignments/read'
const mostActions = 500

/** What the caller's roles say at the scope, block by block: clients subtract and match themselves. */
export function permissionsBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: permissions,
    async list({ caller, scope, apiVersion }) {
      const index = await parts.findIndex(caller.tenantId)
      const principals = await principalIdsOf(parts, caller)
      const held = assignmentsAt(index, scope.key).filter((one) => principals.has(one.principalId))
      const once = new Map(held.map((one) => [`${one.roleId} ${one.condition?.text ?? ''}`, one]))
      const value = [...once.values()].flatMap(({ roleId, condition }) => {
        const role = index.roles.get(roleId)
        const shown = role && showRole(role, { scope, apiVersion })['properties']
        const blocks = isJsonObject(shown) ? shown['permissions'] : undefined
        const when = condition ? { condition: condition.text, conditionVersion: '2.0' } : {}
        return Array.isArray(blocks) ? blocks.filter(isJsonObject).map((block): Json => ({ ...block, ...when })) : []
      })
      return { kind: 'shown', body: { value } }
    },
  }
}

/** There are none: nothing here makes deny assignments, and classic administrators ended in 2024. */
export function emptyListBehaviours(): readonly ExtensionBehaviour[] {
  const none = async (): Promise<ExtensionResult> => ({ kind: 'shown', body: { value: [] } })
  return [
    {
      type: denyAssignments,
      list: none,
      read: async ({ names }) => {
        throw accessProblems.DenyAssignmentNotFound({ name: names[0] ?? '' })
      },
    },
    { type: classicAdministrators, list: none },
  ]
}

/** Every action that a role may name here, by provider and type. */
export function providerOperationsBehaviour(): ExtensionBehaviour {
  const all = allPermissions()
  const namespaces = [...new Set(all.map((action) => action.split('/')[0] ?? ''))].toSorted()
  return {
    type: providerOperations,
    list: async () => ({ kind: 'shown', body: { value: namespaces.map((one) => showProvider(one, all)) } }),
    async read({ names }) {
      const found = namespaces.find((one) => one.toLowerCase() === names[0]?.toLowerCase())
      if (found === undefined) throw accessProblems.ProviderUnknown({ namespace: names[0] ?? '' })
      return { kind: 'shown', body: showProvider(found, all) }
    },
  }
}

function showProvider(namespace: string, all: readonly string[]): JsonObject {
  const own = all.filter((action) => action.startsWith(`${namespace}/`))
  const typeOf = (action: string): string => {
    const parts = action.split('/').slice(1, -1)
    return (action.endsWith('/action') ? parts.slice(0, -1) : parts).join('/')
  }
  const show = (action: string): JsonObject => ({
    name: action,
    displayName: action,
    description: action,
    isDataAction: isDataAction(action),
  })
  const types = [...new Set(own.map(typeOf))]
  return {
    id: `/providers/Microsoft.Authorization/providerOperations/${namespace}`,
    type: 'Microsoft.Authorization/providerOperations',
    name: namespace,
    displayName: namespace,
    resourceTypes: types
      .filter((type) => type !== '')
      .map((type) => ({
        name: type,
        displayName: type,
        operations: own.filter((action) => typeOf(action) === type).map(show),
      })),
    operations: own.filter((action) => typeOf(action) === '').map(show),
  }
}

/** POST …/checkAccess: for each action whether a principal may do it, and by which assignment. */
export function checkAccessBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: checkAccess,
    async run(call) {
      const { tenantId } = call.caller
      const index = await parts.findIndex(tenantId)
      const asked = parseCheck(call)
      const isOwn = asked.objectId === undefined || asked.objectId.toLowerCase() === call.caller.objectId.toLowerCase()
      if (!isOwn) await call.authorize(readAssignments, call.scope.id)
      if (!isBelow(index, scopeKey(asked.scope), call.scope.key))
        throw accessProblems.InvalidAccessRequest({
          reason: `'${asked.scope}' is not inside the scope of the request.`,
        })
      const principals = isOwn
        ? await principalIdsOf(parts, call.caller)
        : await principalIdsOf(parts, { tenantId, objectId: asked.objectId ?? '' })
      const answers = asked.actions.map(({ id, isData }): JsonObject => {
        const decision = decideAt(index, principals, id, asked.scope, { isData })
        const { allowed } = decision
        return {
          actionId: id,
          isDataAction: isData,
          accessDecision: allowed ? 'Allowed' : 'NotAllowed',
          roleAssignment: decision.allowed ? flat(showAssignment(decision.assignment, call)) : null,
          denyAssignment: null,
          timeToLiveInMs: 0,
        }
      })
      return { kind: 'shown', body: answers }
    },
  }
}

/** checkAccess shows an assignment without the `properties` around it. */
function flat({ properties, id }: JsonObject): JsonObject {
  return { id: id ?? null, ...(isJsonObject(properties) ? properties : {}) }
}

interface AskedCheck {
  readonly objectId: string | undefined
  readonly scope: string
  readonly actions: readonly { readonly id: string; readonly isData: boolean }[]
}

function parseCheck({ body, scope }: ExtensionCall): AskedCheck {
  const refuse = (reason: string): Error => accessProblems.InvalidAccessRequest({ reason })
  const subject = member(body, 'Subject')
  const attributes = isJsonObject(subject) ? member(subject, 'Attributes') : undefined
  const objectId = isJsonObject(attributes) ? member(attributes, 'ObjectId') : undefined
  const resource = member(body, 'Resource')
  const id = isJsonObject(resource) ? member(resource, 'Id') : undefined
  const actions = member(body, 'Actions')
  if (!Array.isArray(actions) || actions.length === 0 || actions.length > mostActions)
    throw refuse(`'Actions' must be a list of 1 to ${mostActions} entries { Id, IsDataAction }.`)
  return {
    objectId: typeof objectId === 'string' ? objectId : undefined,
    scope: typeof id === 'string' && id !== '' ? id : scope.id,
    actions: actions.map((entry: Json) => {
      const name = isJsonObject(entry) ? member(entry, 'Id') : undefined
      if (typeof name !== 'string') throw refuse("an entry of 'Actions' has no 'Id'.")
      const given = isJsonObject(entry) ? member(entry, 'IsDataAction') : undefined
      return { id: name, isData: typeof given === 'boolean' ? given : isDataAction(name) }
    }),
  }
}

/** Clients of checkAccess write its members with either first letter. */
function member(object: JsonObject, name: string): Json | undefined {
  return object[name] ?? object[name.charAt(0).toLowerCase() + name.slice(1)]
}

/** POST …/explainAccess { principal, action }: the question behind `goldleaf access explain`. */
export function explainAccessBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: explainAccess,
    async run(call) {
      const { principal: who, action, isDataAction: given } = call.body
      if (typeof who !== 'string' || typeof action !== 'string' || who === '' || action === '')
        throw accessProblems.InvalidAccessRequest({ reason: "'principal' and 'action' must be texts." })
      const { tenantId } = call.caller
      const index = await parts.findIndex(tenantId)
      const principal = await findPrincipal(parts, tenantId, who)
      const principals = await principalIdsOf(parts, principal)
      const isData = typeof given === 'boolean' ? given : isDataAction(action)
      const scope = call.scope.id
      const decision = decideAt(index, principals, action, scope, { isData })
      const question = { action, isDataAction: isData }
      const nearest = decision.allowed
        ? []
        : nearestRoles(
            [...index.roles.values()].filter((role) =>
              role.assignableScopes.some((one) => isBelow(index, call.scope.key, scopeKey(one))),
            ),
            question,
            allPermissions(),
          )
      const throughId =
        decision.allowed && decision.assignment.principalId !== principal.objectId
          ? decision.assignment.principalId
          : undefined
      const group = throughId === undefined ? undefined : await parts.directory.findObject(tenantId, throughId)
      const through = throughId === undefined ? undefined : (group?.displayName ?? throughId)
      const name = nameOfPrincipal(principal)
      return {
        kind: 'shown',
        body: {
          principal: { objectId: principal.objectId, kind: principal.kind, name },
          action,
          isDataAction: isData,
          scope,
          allowed: decision.allowed,
          grantedBy: decision.allowed
            ? {
                roleAssignmentId: assignmentId(decision.assignment),
                roleName: decision.role.roleName,
                scope: decision.assignment.scope,
                throughGroup: throughId === undefined ? null : { objectId: throughId, displayName: through ?? null },
              }
            : null,
          held: decision.allowed
            ? []
            : decision.held.map(({ assignment, role }) => ({ roleName: role.roleName, scope: assignment.scope })),
          rolesThatWouldGrant: nearest.map(({ roleId, roleName, roleType }) => ({ roleId, roleName, roleType })),
          explanation: explainDecision(decision, { ...question, who: name, scope, through, nearest }),
        },
      }
    },
  }
}
