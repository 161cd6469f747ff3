import type { Account, Configuration, KoaContextWithOIDC, interactionPolicy } from 'oidc-provider'
import type { Directory } from '../directory/directory.ts'
import { findSignedIn } from './accounts.ts'
import type { SignedIn } from './accounts.ts'
import { clientAdapter } from './client-adapter.ts'
import { findClient } from './clients.ts'
import type { Authority } from './clients.ts'
import { createGrant, grantedResources, offlineScope, openidScopes, resourceServerOf } from './grants.ts'
import type { KeyRing } from './keys.ts'
import { Check, InvalidTarget, basePolicy } from './oidc-library.ts'
import { deviceCodePage, deviceConfirmPage, messagePage, signOutPage } from './pages.ts'
import type { Page } from './pages.ts'
import type { SignInState } from './sign-in-state.ts'
import { issuerOf, principalClaims, tokenLifetimeSeconds } from './token.ts'

/** How oidc-provider is made to behave as Entra ID: everything that it is told once, when it is made. */

export interface ConfigurationDeps {
  readonly directory: Directory
  readonly keys: KeyRing
  readonly state: SignInState
}

/** What of a request its answer depends on. */
interface RequestFacts {
  readonly authority: Authority
  readonly mountPath: string
}

const day = 86_400

/** An account with the person behind it. */
export interface GoldleafAccount extends Account {
  readonly signedIn: SignedIn
}

export function configure(deps: ConfigurationDeps, factsOf: (ctx: KoaContextWithOIDC) => RequestFacts): Configuration {
  const { directory, keys, state } = deps
  return {
    adapter: (kind) => (kind === 'Client' ? clientAdapter(directory) : state.adapter(kind)),
    jwks: { keys: keys.all().map(({ privateJwk }) => privateJwk) },
    routes: {
      authorization: '/authorize',
      token: '/token',
      device_authorization: '/devicecode',
      code_verification: '/deviceauth',
      end_session: '/logout',
    },
    cookies: {
      keys: [keys.derive('cookies')],
      names: { session: 'goldleaf.session', interaction: 'goldleaf.interaction', resume: 'goldleaf.resume' },
      long: { httpOnly: true, sameSite: 'lax', signed: true, path: '/' },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    scopes: [...openidScopes],
    claims: {
      openid: ['sub', 'oid', 'tid', 'preferred_username', 'upn', 'unique_name', 'name', 'ver'],
      email: ['email'],
    },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientDefaults: { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['goldleaf_confidential'] },
    // Programs with a secret may do without, as in Azure: theirs cannot be redeemed by who merely saw the code.
    pkce: { required: (_ctx, client) => client['goldleaf_confidential'] !== true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, _client, source) => source.scopes.has(offlineScope),
    expiresWithSession: () => false,
    findAccount: async (ctx, accountId) => {
      const signedIn = await findSignedIn(directory, accountId, factsOf(ctx).authority.tenantId)
      return signedIn === undefined ? undefined : accountOf(accountId, signedIn)
    },
    loadExistingGrant: async (ctx) => {
      const { account, client, provider } = ctx.oidc
      if (account === undefined || client === undefined) return undefined
      return (await createGrant(provider, { accountId: account.accountId, clientId: client.clientId })).grant
    },
    interactions: {
      policy: signInPolicy(),
      url: (ctx, interaction) => `${factsOf(ctx).mountPath}/signin/${interaction.uid}`,
    },
    renderError: (ctx, out) => {
      // A redirect address that is not registered must not be followed: the person sees why instead.
      const message = `${out.error}: ${out.error_description ?? 'The request is not valid.'}`
      send(ctx, messagePage('This sign-in cannot go on', message, 'problem'))
    },
    features: features(deps),
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { signedIn } = ctx.oidc.account as GoldleafAccount
          jwt.header = { typ: 'JWT' }
          jwt.payload = accessTokenClaims(jwt.payload, signedIn, token.clientId ?? '')
        },
      },
    },
    ttl: {
      AccessToken: tokenLifetimeSeconds,
      AuthorizationCode: 5 * 60,
      DeviceCode: 15 * 60,
      IdToken: tokenLifetimeSeconds,
      Interaction: 30 * 60,
      Session: day,
      RefreshToken: 90 * day,
      Grant: 366 * day,
    },
  }
}

function send(ctx: KoaContextWithOIDC, { html, headers }: Page): void {
  ctx.set({ ...headers })
  ctx.body = html
}

/** The hidden field that oidc-provider checks when one of its forms comes back. */
function xsrfOf(form: string): string {
  return /name="xsrf" value="([0-9a-zA-Z_-]+)"/.exec(form)?.[1] ?? ''
}

function features({ directory }: ConfigurationDeps): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // Of those granted, the one that was asked for first.
      defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? grantedResources[0] ?? '',
      getResourceServerInfo: (_ctx, resource) => {
        if (!grantedResources.includes(resource)) throw new InvalidTarget()
        return resourceServerOf(resource)
      },
      useGrantedResource: () => true,
    },
    deviceFlow: {
      enabled: true,
      mask: '****-****',
      deviceInfo: () => ({}),
      userCodeInputSource: (ctx, form, _out, error) => {
        const problem = error === undefined ? undefined : deviceProblem(error)
        const code =
          error !== undefined && 'userCode' in error && typeof error.userCode === 'string' ? error.userCode : ''
        send(ctx, deviceCodePage({ action: ctx.oidc.urlFor('code_verification'), xsrf: xsrfOf(form), code, problem }))
      },
      userCodeConfirmSource: async (ctx, form, client, _deviceInfo, code) => {
        const clientName = (await findClient(directory, client.clientId))?.displayName ?? client.clientId
        send(
          ctx,
          deviceConfirmPage({ action: ctx.oidc.urlFor('code_verification'), xsrf: xsrfOf(form), code, clientName }),
        )
      },
      successSource: (ctx) => {
        send(ctx, messagePage('You are signed in', 'You may close this window and go back to the app on your device.'))
      },
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        const redirectUri = ctx.oidc.params?.['post_logout_redirect_uri']
        send(
          ctx,
          signOutPage({
            action: ctx.oidc.urlFor('end_session_confirm'),
            xsrf: xsrfOf(form),
            redirectUri: typeof redirectUri === 'string' ? redirectUri : undefined,
          }),
        )
      },
      postLogoutSuccessSource: (ctx) => {
        send(ctx, messagePage('You are signed out', 'You may close this window.'))
      },
    },
  }
}

function deviceProblem(error: Error): string {
  switch (error.name) {
    case 'NoCodeError':
      return 'Enter the code.'
    case 'AbortedError':
      return 'The sign-in was cancelled. You may close this window.'
    case 'NotFoundError':
    case 'ExpiredError':
    case 'AlreadyUsedError':
      return 'That code is not valid, or not any more. Check it, or let the app make a new one.'
    default:
      return 'That did not work. Enter the code again.'
  }
}

/** Nothing to consent to: which programs may be used in a tenant is its administrators' choice. */
function signInPolicy(): interactionPolicy.DefaultPolicy {
  const policy = basePolicy()
  policy.remove('consent')
  policy
    .get('login')
    ?.checks.add(
      new Check(
        'no_account',
        'the signed-in person has no account in this tenant',
        'login_required',
        (ctx) => ctx.oidc.account === undefined,
      ),
    )
  return policy
}

function accountOf(accountId: string, signedIn: SignedIn): GoldleafAccount {
  const { home, user } = signedIn
  return {
    accountId,
    signedIn,
    claims: () => ({
      sub: accountId,
      oid: user.objectId,
      tid: user.tenantId,
      preferred_username: home.userPrincipalName,
      upn: home.userPrincipalName,
      unique_name: home.userPrincipalName,
      name: home.displayName,
      ver: '2.0',
      ...(home.mail === undefined ? {} : { email: home.mail }),
    }),
  }
}

/** A user's access token: the claims of `principalClaims`, as those of programs have. */
function accessTokenClaims(
  { jti, aud, iat, exp, scope }: Readonly<Record<string, unknown>>,
  { home, user }: SignedIn,
  appId: string,
): Record<string, unknown> {
  const { objectId, tenantId } = user
  return {
    ...principalClaims({ objectId, tenantId, appId, kind: 'user', upn: home.userPrincipalName }),
    jti,
    iss: issuerOf(tenantId),
    sub: objectId,
    aud,
    iat,
    nbf: iat,
    exp,
    scp: scope,
    name: home.displayName,
  }
}
