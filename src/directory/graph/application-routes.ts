import { isJsonObject } from '../../base/json.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import {
  createApplication,
  createServicePrincipal,
  updateApplication,
  updateServicePrincipal,
} from '../applications.ts'
import { addSecret, parseKey, removeSecret } from '../credentials.ts'
import type { Holder } from '../credentials.ts'
import type { Application, KeyCredential, ServicePrincipal } from '../directory.ts'
import { findUniqueRow } from '../directory.rows.ts'
import { directoryProblems } from '../problems.ts'
import { deleteObject } from '../remove.ts'
import { getObject, isKind, isOperator } from '../room.ts'
import { bodies, parseBody, parseTime, pickDetails } from './bodies.ts'
import { param } from './call.ts'
import type { GraphAnswer, GraphCall, GraphRoute } from './call.ts'
import { answerObject, checkOptions, listObjects } from './list.ts'
import { mustChange, mustCreate, mustRead } from './rights.ts'
import { collections, showSecret } from './show.ts'

export function addApplicationRoutes(route: GraphRoute): void {
  route('POST', '/applications', createApp)
  route('PATCH', '/applications/:id', updateApp)
  route('POST', '/servicePrincipals', createPrincipal)
  route('PATCH', '/servicePrincipals/:id', updatePrincipal)
  addHolderRoutes(route, 'application')
  addHolderRoutes(route, 'servicePrincipal')
}

/** What applications and service principals have alike. */
function addHolderRoutes(route: GraphRoute, kind: Holder): void {
  const collection = collections[kind]
  route('GET', `/${collection}`, async (call) => {
    mustRead(call.rights)
    return listObjects(call, kind, collection)
  })
  route('GET', `/${collection}/:id`, async (call) => {
    checkOptions(call)
    const id = param(call, 'id')
    mustRead(call.rights, id.toLowerCase())
    return answerObject(call, await getObject(call.room.db, call.tenantId, id, kind), collection)
  })
  route('DELETE', `/${collection}/:id`, async (call) => {
    const { objectId } = await changeable(call, kind)
    await deleteObject(call.room, call.tenantId, objectId, kind)
    return { status: 204 }
  })
  route('POST', `/${collection}/:id/addPassword`, async (call) => {
    const { objectId } = await changeable(call, kind)
    const asked = parseBody(bodies.addPassword, call.body).passwordCredential
    const { secretText, ...credential } = await addSecret(call.room, call.tenantId, objectId, kind, {
      displayName: asked?.displayName ?? undefined,
      startMs: parseTime('startDateTime', asked?.startDateTime),
      endMs: parseTime('endDateTime', asked?.endDateTime),
    })
    const body = { ...showSecret(credential), secretText }
    return {
      status: 200,
      body: { '@odata.context': `${call.home}/$metadata#microsoft.graph.passwordCredential`, ...body },
    }
  })
  route('POST', `/${collection}/:id/removePassword`, async (call) => {
    const { objectId } = await changeable(call, kind)
    await removeSecret(call.room, call.tenantId, objectId, kind, parseBody(bodies.removePassword, call.body).keyId)
    return { status: 204 }
  })
}

async function changeable(call: GraphCall, kind: Holder): Promise<Application | ServicePrincipal> {
  mustRead(call.rights)
  const object = await getObject(call.room.db, call.tenantId, param(call, 'id'), kind)
  // Whoever could add a secret to the operator would be the operator, in every tenant.
  const { operator } = call.room
  const isOperators =
    object.objectId === operator.objectId || (isKind(object, 'application') && object.appId === operator.appId)
  if (isOperators && !isOperator(call.room, call.rights.caller))
    throw directoryProblems.OperatorIsProtected({ what: `The ${kind} '${object.displayName}'` })
  await mustChange(call.room.db, call.rights, object)
  return object
}

type ApplicationBody = ReturnType<typeof parseBody<typeof bodies.application>>

const complexMembers = ['web', 'spa', 'publicClient', 'api', 'info'] as const

/** A complex member that is sent changes only the members that it has, as in Graph. */
function mergeDetails(body: ApplicationBody, before: Application | undefined): JsonObject {
  const details: Record<string, Json | undefined> = { ...pickDetails(body, 'application') }
  for (const name of complexMembers) {
    const [old, given] = [before?.details?.[name], details[name]]
    if (isJsonObject(given)) details[name] = { ...(isJsonObject(old) ? old : {}), ...given }
  }
  return details
}

function redirectUrisOf(details: JsonObject): readonly string[] {
  const uris = (['web', 'spa', 'publicClient'] as const).flatMap((name) => {
    const platform = details[name]
    const found = isJsonObject(platform) ? platform['redirectUris'] : undefined
    return Array.isArray(found) ? found.filter((uri): uri is string => typeof uri === 'string') : []
  })
  for (const uri of uris)
    if (!URL.canParse(uri) || /#|\*/.test(uri))
      throw directoryProblems.Request_BadRequest({
        message: `Invalid value specified for property 'redirectUris': '${uri}' is not an absolute address without '#' and '*'.`,
      })
  return [...new Set(uris)]
}

function parseAudience(value: string | null | undefined): Application['signInAudience'] | undefined {
  if (value === undefined || value === null) return undefined
  if (value === 'AzureADMyOrg' || value === 'AzureADMultipleOrgs') return value
  throw directoryProblems.Request_BadRequest({
    message: `Invalid value specified for property 'signInAudience': '${value}'. It is AzureADMyOrg (this tenant) or AzureADMultipleOrgs (every tenant of this server).`,
  })
}

/** Credentials that clients send back without their key are kept; the others are certificates to read. */
function parseKeys(
  sent: ApplicationBody['keyCredentials'],
  before: readonly KeyCredential[],
): readonly KeyCredential[] | undefined {
  return sent?.map((one) => {
    const known = before.find(({ keyId }) => keyId === one.keyId?.toLowerCase())
    if (typeof one.key !== 'string' && known !== undefined) return known
    if (one.type !== undefined && one.type !== null && !/^(?:Asymmetric)?X509/i.test(one.type))
      throw directoryProblems.Request_BadRequest({
        message: `Key credential is invalid: its type is '${one.type}', not AsymmetricX509Cert.`,
      })
    return parseKey({
      keyId: one.keyId?.toLowerCase() ?? undefined,
      displayName: one.displayName ?? undefined,
      certificate: one.key ?? '',
      startMs: parseTime('startDateTime', one.startDateTime),
      endMs: parseTime('endDateTime', one.endDateTime),
    })
  })
}

/** Where a registration changes: its known members, with what follows from them. */
function applicationChange(body: ApplicationBody, before: Application | undefined) {
  const details = mergeDetails(body, before)
  return {
    displayName: body.displayName ?? undefined,
    signInAudience: parseAudience(body.signInAudience),
    isFallbackPublicClient: body.isFallbackPublicClient ?? undefined,
    identifierUris: body.identifierUris,
    keyCredentials: parseKeys(body.keyCredentials, before?.keyCredentials ?? []),
    redirectUris: redirectUrisOf({ ...before?.details, ...details }),
    details,
  }
}

async function createApp(call: GraphCall): Promise<GraphAnswer> {
  mustCreate(call.rights, 'application')
  const body = parseBody(bodies.application, call.body)
  const application = await createApplication(call.room, call.tenantId, {
    ...applicationChange(body, undefined),
    displayName: body.displayName ?? '',
    ownerId: call.rights.self?.objectId,
  })
  return answerObject(call, application, 'applications', 201)
}

async function updateApp(call: GraphCall): Promise<GraphAnswer> {
  const before = await changeable(call, 'application')
  if (!isKind(before, 'application')) throw new Error('another kind was asked for')
  const body = parseBody(bodies.application, call.body)
  await updateApplication(call.room, call.tenantId, before.objectId, applicationChange(body, before))
  return { status: 204 }
}

/** An owner of an application may give it its principal. */
async function createPrincipal(call: GraphCall): Promise<GraphAnswer> {
  const body = parseBody(bodies.servicePrincipal, call.body)
  const { appId } = body
  mustRead(call.rights)
  if (typeof appId !== 'string')
    throw directoryProblems.Request_BadRequest({
      message: "A value is required for property 'appId' of resource 'ServicePrincipal'.",
    })
  const application = await findUniqueRow(call.room.db, { kind: 'application', name: appId })
  if (application?.tenantId === call.tenantId) await mustChange(call.room.db, call.rights, application)
  else mustCreate(call.rights, 'servicePrincipal')
  const principal = await createServicePrincipal(call.room, call.tenantId, appId, {
    accountEnabled: body.accountEnabled ?? undefined,
    ownerId: call.rights.self?.objectId,
  })
  return answerObject(call, principal, 'servicePrincipals', 201)
}

async function updatePrincipal(call: GraphCall): Promise<GraphAnswer> {
  const before = await changeable(call, 'servicePrincipal')
  const { appId, ...body } = parseBody(bodies.servicePrincipal, call.body)
  if (appId !== undefined && appId !== before.appId)
    throw directoryProblems.Request_BadRequest({
      message: "Property 'appId' of a service principal cannot be changed.",
    })
  await updateServicePrincipal(call.room, call.tenantId, before.objectId, {
    displayName: body.displayName ?? undefined,
    accountEnabled: body.accountEnabled ?? undefined,
    keyCredentials: parseKeys(body.keyCredentials, before.keyCredentials ?? []),
    details: pickDetails(body, 'servicePrincipal'),
  })
  return { status: 204 }
}
