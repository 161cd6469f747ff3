import type { errors } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import { clientInfoOf } from './accounts.ts'
import type { SignedIn } from './accounts.ts'
import type { Asked, EndpointForm } from './resource.ts'
import { SignInError } from './sign-in-error.ts'
import { armAudience } from './token.ts'

type Body = Readonly<Record<string, unknown>>

interface AnswerFacts {
  readonly form: EndpointForm
  readonly asked: Asked
  readonly wantsClientInfo: boolean
}

/** oidc-provider's token answer as Entra ID writes it (CLIENTS.md; MSAL wants `client_info`, v1 has numbers as text). */
export function azureTokenAnswer(body: Body, facts: AnswerFacts, signedIn: SignedIn | undefined, clock: Clock): Body {
  const { form, asked } = facts
  const resource = asked.resource ?? armAudience
  const seconds = Number(body['expires_in'])
  const nowSeconds = Math.floor(clock.now() / 1000)
  // MSAL looks a cached token up by the scopes that the answer names: those asked for must be among them.
  const scopes = new Set([...asked.scopes, `${resource}/user_impersonation`])
  const shared = {
    ...body,
    ...((facts.wantsClientInfo || form === 'v1') && signedIn !== undefined
      ? { client_info: clientInfoOf(signedIn) }
      : {}),
  }
  if (form === 'v2') return { ...shared, scope: [...scopes].join(' '), ext_expires_in: seconds }
  return {
    ...shared,
    scope: 'user_impersonation',
    expires_in: String(seconds),
    ext_expires_in: String(seconds),
    expires_on: String(nowSeconds + seconds),
    not_before: String(nowSeconds),
    resource,
  }
}

/** A device code as MSAL wants it: with the sentence that it shows to the user. */
export function azureDeviceAnswer(body: Body, form: EndpointForm): Body {
  const { verification_uri: address, user_code: code, device_code, expires_in } = body
  const message = `To sign in, use a web browser to open the page ${String(address)} and enter the code ${String(code)} to authenticate.`
  const shared = { user_code: code, device_code, message }
  if (form === 'v2') return { ...shared, verification_uri: address, expires_in, interval: 5 }
  return { ...shared, verification_url: address, expires_in: String(expires_in), interval: '5' }
}

const invalidGrants: readonly (readonly [pattern: RegExp, code: number, message: string])[] = [
  [/expired/, 70008, 'The provided authorization code or refresh token has expired. Sign in again.'],
  [
    /redeemed just now/,
    54005,
    'The authorization code or refresh token was redeemed a moment ago, by another request.',
  ],
  [
    /already (?:used|consumed)/,
    54005,
    'The authorization code or refresh token was already redeemed. What came of that sign-in is revoked; sign in again.',
  ],
  [
    /account not found/,
    50020,
    'The user account does not exist in this tenant, or is disabled. Sign in at its own tenant, or invite it here as a guest.',
  ],
  [
    /PKCE|code_verifier|code_challenge/i,
    501481,
    'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  ],
  [/redirect_uri/, 500112, 'The redirect_uri does not match the one of the authorization request.'],
  [/client mismatch/, 700005, 'The provided grant was issued to another application.'],
]

/** A refusal of oidc-provider with Entra ID's number and a text that says what to do. */
export function azureGrantError(error: errors.OIDCProviderError): SignInError {
  const detail = `${error.error_detail ?? ''} ${error.error_description ?? ''}`
  const say = (name: string, code: number, message: string): SignInError =>
    new SignInError(error.statusCode === 401 ? 401 : 400, name, code, message, { cause: error })
  switch (error.error) {
    case 'authorization_pending':
      return say(error.error, 70016, 'OAuth 2.0 device flow error. Authorization is pending. Continue polling.')
    case 'expired_token':
      return say(error.error, 70020, 'The provided device code has expired. Ask for a new one.')
    case 'access_denied':
      return say('authorization_declined', 70018, 'The user declined the sign-in.')
    case 'invalid_grant': {
      const known = invalidGrants.find(([pattern]) => pattern.test(detail))
      return known === undefined
        ? say('invalid_grant', 70000, 'Provided grant is invalid or malformed. Sign in again.')
        : say('invalid_grant', known[1], known[2])
    }
    case 'invalid_target':
      return say('invalid_resource', 500011, 'The resource was not found in the tenant, or was not granted.')
    case 'invalid_scope':
      return say(
        'invalid_scope',
        70011,
        `The provided value for the input parameter 'scope' is not valid: ${detail.trim()}.`,
      )
    case 'unsupported_grant_type':
      return say(error.error, 70003, 'The app requested an unsupported grant type.')
    case 'invalid_client':
    case 'unauthorized_client':
      return say('unauthorized_client', 700016, 'The application was not found in the directory.')
    default:
      return say('invalid_request', 900144, `The request is not valid: ${detail.trim()}.`)
  }
}
