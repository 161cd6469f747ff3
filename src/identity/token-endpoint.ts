import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import type { Directory, User } from '../directory/directory.ts'
import type { Cloud } from './clouds.ts'
import { tenantOfAccount } from './accounts.ts'
import type { CheckPassword } from './accounts.ts'
import { getAuthority, getClient } from './clients.ts'
import type { Authority, Client } from './clients.ts'
import { grantClientCredentials } from './client-credentials.ts'
import { checkProof, parseBasic, proofMissing } from './client-proof.ts'
import type { Issuer, RequestFacts } from './issuer.ts'
import { createPasswordRefreshToken } from './password-grant.ts'
import { mainAudience, parseAsked } from './resource.ts'
import type { EndpointForm } from './resource.ts'
import { SignInError, findField, getField, refuseRepeats } from './sign-in-error.ts'
import type { SignInState } from './sign-in-state.ts'
import type { TokenSigner } from './token.ts'

export interface TokenEndpointDeps {
  readonly directory: Directory
  readonly issuer: Issuer
  readonly state: SignInState
  readonly signer: TokenSigner
  readonly checkPassword: CheckPassword
  readonly clock: Clock
  /** The installation's own: under `common` and its like, for whoever is not known yet. */
  readonly homeTenantId: string
  readonly cloud: Cloud | undefined
}

/** A request to a token endpoint, of any form. */
export interface TokenRequest {
  readonly form: EndpointForm
  readonly segment: string
  readonly fields: URLSearchParams
  readonly baseUrl: string
  readonly mountPath: string
}

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
/** Which of oidc-provider's kinds of state a grant redeems, and the field that brings it. */
const redeemed: Readonly<Record<string, { readonly kind: string; readonly field: string }>> = {
  authorization_code: { kind: 'AuthorizationCode', field: 'code' },
  refresh_token: { kind: 'RefreshToken', field: 'refresh_token' },
  [deviceGrant]: { kind: 'DeviceCode', field: 'device_code' },
}
const grantTypes = ['client_credentials', 'password', ...Object.keys(redeemed)]

/**
 * Answers a token request: who asks and for what is found here, in Azure's words; then programs' own tokens are signed,
 * and users' grants handed to oidc-provider. Throws SignInError; undefined: the answer is written.
 */
export async function answerTokenRequest(
  deps: TokenEndpointDeps,
  { form, segment, fields, baseUrl, mountPath }: TokenRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { directory } = deps
  refuseRepeats(fields)
  const authority = await getAuthority(directory, segment)
  const grantType = grantTypeOf(fields)
  const basic = parseBasic(request.headers.authorization)
  const clientId = findField(fields, 'client_id') ?? basic?.id ?? getField(fields, 'client_id')
  if (basic !== undefined && basic.id !== '' && basic.id.toLowerCase() !== clientId.toLowerCase())
    throw new SignInError(400, 'invalid_request', 90023, 'The client_id of the body is not the one of the header.')
  const client = await getClient(directory, clientId, authority)
  const proof = await checkProof(deps, { client, authority, fields, basic, baseUrl, peer: request.ip })
  const asked = parseAsked(fields, baseUrl, deps.cloud)
  if (grantType === 'client_credentials') return grantClientCredentials(deps, { client, authority, proof, asked, form })
  if (proof === 'none' && !client.isPublic) throw proofMissing()
  const facts: RequestFacts = {
    authority,
    form,
    asked,
    baseUrl,
    mountPath,
    wantsClientInfo: findField(fields, 'client_info') === '1',
    isOffline: form === 'v1' || grantType !== 'password' || asked.openid.includes('offline_access'),
  }
  const { inner, tenantId } = await rewrite(deps, { facts, client, fields, grantType, peer: request.ip })
  if (asked.audience !== undefined) inner.set('resource', mainAudience(asked.audience))
  const provider = deps.issuer.provider(baseUrl, tenantId)
  await deps.issuer.handle(provider, request, reply, facts, { method: 'POST', path: '/token', form: inner })
  return undefined
}

function grantTypeOf(fields: URLSearchParams): string {
  const named = getField(fields, 'grant_type')
  // v1 clients (ADAL) shorten it, and call the code 'code'.
  const grantType = named === 'device_code' ? deviceGrant : named
  if (grantTypes.includes(grantType)) return grantType
  throw new SignInError(
    400,
    'unsupported_grant_type',
    70003,
    `The app requested an unsupported grant type '${named}'. Served are: ${grantTypes.join(', ')}.`,
  )
}

interface Rewriting {
  readonly facts: RequestFacts
  readonly client: Client
  readonly fields: URLSearchParams
  readonly grantType: string
  readonly peer: string
}

/** The form that oidc-provider gets, and the tenant whose provider answers it. */
async function rewrite(
  deps: TokenEndpointDeps,
  { facts, client, fields, grantType, peer }: Rewriting,
): Promise<{ readonly inner: URLSearchParams; readonly tenantId: string }> {
  const inner = new URLSearchParams({ client_id: client.appId })
  if (grantType === 'password') {
    const user = await getUser(deps, fields, facts.authority, peer)
    const tenantId = facts.authority.tenantId ?? user.tenantId
    const provider = deps.issuer.provider(facts.baseUrl, tenantId)
    inner.set('grant_type', 'refresh_token')
    inner.set('refresh_token', await createPasswordRefreshToken(provider, client.appId, user, deps.clock.now()))
    return { inner, tenantId }
  }
  const { kind = '', field = '' } = redeemed[grantType] ?? {}
  const value = findField(fields, field) ?? (grantType === deviceGrant ? findField(fields, 'code') : undefined)
  inner.set('grant_type', grantType)
  inner.set(field, value ?? getField(fields, field))
  for (const name of ['redirect_uri', 'code_verifier']) {
    const given = findField(fields, name)
    if (given !== undefined) inner.set(name, given)
  }
  return { inner, tenantId: facts.authority.tenantId ?? (await tenantOfState(deps, kind, value ?? '')) }
}

/** Under `common` and its like a token is for the home tenant of whoever signed in. */
async function tenantOfState(deps: TokenEndpointDeps, kind: string, value: string): Promise<string> {
  const found = await deps.state.adapter(kind).find(value)
  return typeof found?.accountId === 'string' ? tenantOfAccount(found.accountId) : deps.homeTenantId
}

async function getUser(
  { directory, checkPassword }: TokenEndpointDeps,
  fields: URLSearchParams,
  authority: Authority,
  peer: string,
): Promise<User> {
  const name = getField(fields, 'username')
  const answer = await checkPassword({ name, password: getField(fields, 'password'), peer })
  switch (answer.kind) {
    case 'right':
      break
    case 'wrong':
      throw new SignInError(
        400,
        'invalid_grant',
        50126,
        'Error validating credentials due to invalid username or password.',
      )
    case 'disabled':
      throw new SignInError(400, 'invalid_grant', 50057, 'The user account is disabled.')
    case 'slowed':
      throw new SignInError(
        429,
        'temporarily_unavailable',
        50196,
        `Too many failed sign-ins of this account or from this address. Wait ${answer.waitSeconds} seconds.`,
        { retryAfterSeconds: answer.waitSeconds },
      )
  }
  const { user } = answer
  const { tenantId } = authority
  if (tenantId === undefined || tenantId === user.tenantId) return user
  if ((await directory.findGuest(tenantId, user))?.accountEnabled === true) return user
  throw notInTenant(user, authority)
}

export function notInTenant(user: User, authority: Authority): SignInError {
  return new SignInError(
    400,
    'invalid_grant',
    50020,
    `User account '${user.userPrincipalName}' does not exist in tenant '${authority.segment}'. Sign in at its own tenant, or invite it there as a guest.`,
  )
}
