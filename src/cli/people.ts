import type { JsonObject } from '../base/json.ts'
import { randomBytes } from '../base/random.ts'
import { reach } from './connection.ts'
import type { ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import { collectionOf, findByName, findId, openCaller, textAt } from './graph.ts'
import type { JsonCaller, Named } from './graph.ts'
import { cliProblems } from './problems.ts'
import { printJson, printList } from './tenant.ts'
import type { ListFlags } from './tenant.ts'

/** Users, groups and applications of a tenant, through Microsoft Graph. */
async function openGraph(context: CliContext, flags: ConnectionFlags): Promise<JsonCaller> {
  return openCaller(await reach(context, flags), '/v1.0', context.signal)
}

const columns: Readonly<Record<Named, readonly (readonly [string, string])[]>> = {
  user: [
    ['id', 'id'],
    ['user', 'userPrincipalName'],
    ['name', 'displayName'],
    ['type', 'userType'],
    ['enabled', 'accountEnabled'],
  ],
  group: [
    ['id', 'id'],
    ['name', 'displayName'],
    ['description', 'description'],
  ],
  application: [
    ['id', 'id'],
    ['client id', 'appId'],
    ['name', 'displayName'],
    ['for', 'signInAudience'],
  ],
  'service principal': [
    ['id', 'id'],
    ['client id', 'appId'],
    ['name', 'displayName'],
    ['home', 'appOwnerOrganizationId'],
  ],
}

export async function listObjects(context: CliContext, what: Named, flags: ListFlags): Promise<void> {
  const members = ['id', ...columns[what].map(([, member]) => member)]
  const found = await (
    await openGraph(context, flags)
  ).list(`${collectionOf(what)}?$top=999&$select=${members.join(',')}`)
  printList(context, flags, found, columns[what])
}

async function addressOf(graph: JsonCaller, what: Named, name: string): Promise<string> {
  return `${collectionOf(what)}/${await findId(graph, what, name)}`
}

export async function showObject(
  context: CliContext,
  what: Named,
  name: string,
  flags: ConnectionFlags,
): Promise<void> {
  const graph = await openGraph(context, flags)
  printJson(context, await graph.call('GET', await addressOf(graph, what, name)))
}

export async function deleteObject(
  context: CliContext,
  what: Named,
  name: string,
  flags: ConnectionFlags,
): Promise<void> {
  const graph = await openGraph(context, flags)
  await graph.call('DELETE', await addressOf(graph, what, name))
  context.err.write(`Deleted the ${what} ${name}.\n`)
}

/** 26 characters of all four sorts: what nobody chose is hard to guess. */
function drawPassword(): string {
  return `${Buffer.from(randomBytes(16)).toString('base64url')}-aA1`
}

export interface UserCreateFlags extends ConnectionFlags {
  readonly displayName?: string | undefined
  readonly passwordEnv?: string | undefined
  readonly role?: string | undefined
}

/** From the environment variable that is named, else drawn: a password among the arguments is seen by everybody. */
function readPassword(context: CliContext, name: string | undefined): string {
  if (name === undefined) return drawPassword()
  const value = context.environment.variable?.(name)
  if (value === undefined || value === '')
    throw cliProblems.UsageWrong({ message: `The environment variable '${name}' is not set.` })
  return value
}

export async function createUser(context: CliContext, name: string, flags: UserCreateFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const password = readPassword(context, flags.passwordEnv)
  const userPrincipalName = name.includes('@') ? name : `${name}@${await findDomain(graph)}`
  const mailNickname = userPrincipalName.split('@')[0] ?? name
  const role = flags.role === undefined ? undefined : await findRole(graph, flags.role)
  const made = await graph.call('POST', '/users', {
    userPrincipalName,
    displayName: flags.displayName ?? mailNickname,
    mailNickname,
    accountEnabled: true,
    passwordProfile: { password, forceChangePasswordNextSignIn: false },
  })
  const id = textAt(made, 'id')
  if (role !== undefined) {
    const assignment = { principalId: id, roleDefinitionId: role, directoryScopeId: '/' }
    await graph.call('POST', '/roleManagement/directory/roleAssignments', assignment)
  }
  const shown = { id, userPrincipalName }
  // Shown this once: the server keeps a hash.
  printJson(context, flags.passwordEnv === undefined ? { ...shown, password } : shown)
}

async function findDomain(graph: JsonCaller): Promise<string> {
  const [domain] = await graph.list('/domains')
  return domain === undefined ? '' : textAt(domain, 'id')
}

async function findRole(graph: JsonCaller, name: string): Promise<string> {
  const roles = await graph.list('/roleManagement/directory/roleDefinitions')
  const found = roles.find((role) => textAt(role, 'displayName').toLowerCase() === name.toLowerCase())
  if (found === undefined) {
    const known = roles.map((role) => textAt(role, 'displayName')).join(', ')
    throw cliProblems.UsageWrong({ message: `There is no directory role '${name}'. There are ${known}.` })
  }
  return textAt(found, 'id')
}

export async function resetPassword(context: CliContext, name: string, flags: UserCreateFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const password = readPassword(context, flags.passwordEnv)
  const user = await findByName(graph, 'user', name)
  await graph.call('PATCH', `/users/${textAt(user, 'id')}`, { passwordProfile: { password } })
  const shown = { id: textAt(user, 'id'), userPrincipalName: textAt(user, 'userPrincipalName') }
  printJson(context, flags.passwordEnv === undefined ? { ...shown, password } : shown)
}

export async function inviteUser(context: CliContext, name: string, flags: ConnectionFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const { invitedUser } = await graph.call('POST', '/invitations', {
    invitedUserEmailAddress: name,
    inviteRedirectUrl: 'https://localhost',
  })
  printJson(context, invitedUser)
}

export async function createGroup(
  context: CliContext,
  name: string,
  flags: ConnectionFlags & { readonly description?: string },
): Promise<void> {
  const graph = await openGraph(context, flags)
  const body: JsonObject = {
    displayName: name,
    mailNickname: name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64),
    mailEnabled: false,
    securityEnabled: true,
    ...(flags.description === undefined ? {} : { description: flags.description }),
  }
  const made = await graph.call('POST', '/groups', body)
  printJson(context, { id: textAt(made, 'id'), displayName: name })
}

/** `member`: a user, group or service principal, by id or name. */
export async function changeMember(
  context: CliContext,
  verb: 'add' | 'remove',
  groupName: string,
  member: string,
  flags: ConnectionFlags,
): Promise<void> {
  const graph = await openGraph(context, flags)
  const group = await findId(graph, 'group', groupName)
  const id = await findMember(graph, member)
  const path = `/groups/${group}/members`
  if (verb === 'add')
    await graph.call('POST', `${path}/$ref`, { '@odata.id': `https://graph/v1.0/directoryObjects/${id}` })
  else await graph.call('DELETE', `${path}/${id}/$ref`)
}

async function findMember(graph: JsonCaller, name: string): Promise<string> {
  for (const what of ['user', 'service principal', 'group'] as const)
    try {
      return await findId(graph, what, name)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'NotInDirectory')) throw error
    }
  throw cliProblems.NotInDirectory({ what: 'user, group or service principal', name, count: 0 })
}

export async function listMembers(context: CliContext, groupName: string, flags: ListFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const group = await findId(graph, 'group', groupName)
  const found = await graph.list(`/groups/${group}/members`)
  const typed = found.map((item) => ({ ...item, kind: textAt(item, '@odata.type').replace('#microsoft.graph.', '') }))
  printList(context, flags, typed, [
    ['id', 'id'],
    ['kind', 'kind'],
    ['name', 'displayName'],
  ])
}

export interface AppFlags extends ConnectionFlags {
  readonly multiTenant?: boolean | undefined
  readonly secret?: boolean | undefined
}

/** A registration with its principal and a secret, as `az ad sp create-for-rbac` makes them. */
export async function createApp(context: CliContext, name: string, flags: AppFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const signInAudience = flags.multiTenant ? 'AzureADMultipleOrgs' : 'AzureADMyOrg'
  const made = await graph.call('POST', '/applications', { displayName: name, signInAudience })
  const appId = textAt(made, 'appId')
  const principal = await graph.call('POST', '/servicePrincipals', { appId })
  const shown = { id: textAt(made, 'id'), appId, servicePrincipalId: textAt(principal, 'id'), displayName: name }
  if (flags.secret === false) return printJson(context, shown)
  const secret = await graph.call('POST', `/applications/${shown.id}/addPassword`, { passwordCredential: {} })
  printJson(context, { ...shown, clientSecret: textAt(secret, 'secretText'), expires: textAt(secret, 'endDateTime') })
}

/** A new secret; the others are dropped first unless they are to be kept. */
export async function resetCredential(
  context: CliContext,
  name: string,
  flags: ConnectionFlags & { readonly append?: boolean },
): Promise<void> {
  const graph = await openGraph(context, flags)
  const application = await findByName(graph, 'application', name)
  const path = `/applications/${textAt(application, 'id')}`
  const { passwordCredentials: old } = application
  const secret = await graph.call('POST', `${path}/addPassword`, { passwordCredential: {} })
  if (!flags.append && Array.isArray(old))
    for (const one of old as readonly JsonObject[])
      await graph.call('POST', `${path}/removePassword`, { keyId: textAt(one, 'keyId') })
  const clientSecret = textAt(secret, 'secretText')
  printJson(context, { appId: textAt(application, 'appId'), clientSecret, expires: textAt(secret, 'endDateTime') })
}

/** Admits a multi-tenant application of another tenant: it gets a principal here, to which rights can be given. */
export async function admitApp(context: CliContext, appId: string, flags: ConnectionFlags): Promise<void> {
  const graph = await openGraph(context, flags)
  const made = await graph.call('POST', '/servicePrincipals', { appId })
  const shown = { servicePrincipalId: textAt(made, 'id'), appId, displayName: textAt(made, 'displayName') }
  printJson(context, { ...shown, home: textAt(made, 'appOwnerOrganizationId') })
}
