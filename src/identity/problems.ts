import { defineProblems } from '../base/problem.ts'

/** Azure's codes where Azure has one (behaviour.md section A2 and the public service's own texts). */
export const identityProblems = defineProblems({
  AuthenticationMissing: {
    kind: 'unauthenticated',
    code: 'AuthenticationFailed',
    say: () => "Authentication failed. The 'Authorization' header is missing.",
  },
  AuthenticationFailedInvalidHeader: {
    kind: 'unauthenticated',
    say: () =>
      "Authentication failed. The 'Authorization' header is provided in an invalid format. Send 'Authorization: Bearer <token>'.",
  },
  InvalidAuthenticationToken: {
    kind: 'unauthenticated',
    say: (f: { reason?: string }) =>
      `The access token is invalid.${f.reason === undefined ? '' : ` ${f.reason}`} Sign in again to get a new one.`,
  },
  ExpiredAuthenticationToken: {
    kind: 'unauthenticated',
    say: (f: { expired: string; now: string }) =>
      `The access token expiry UTC time '${f.expired}' is earlier than current UTC time '${f.now}'.`,
  },
  InvalidAuthenticationTokenAudience: {
    kind: 'unauthenticated',
    say: (f: { audience: string; allowed: readonly string[] }) =>
      `The access token has been obtained for wrong audience or resource '${f.audience}'. It should exactly match with one of the allowed audiences '${f.allowed.join("','")}'.`,
  },
  InvalidAuthenticationTokenTenant: {
    kind: 'unauthenticated',
    say: (f: { issuer: string; expected: string }) =>
      `The access token is from the wrong issuer '${f.issuer}'. It must match the tenant '${f.expected}' associated with this subscription. Please use the authority (URL) of that tenant to get the token.`,
  },
  IssuerUnavailable: {
    kind: 'unavailable',
    say: (f: { issuer: string }) =>
      `The issuer '${f.issuer}' could not be asked for its keys, so the access token cannot be verified. Try again; if it stays so, check the issuer's address in the server's configuration.`,
  },
  IdentityFilesBroken: {
    kind: 'internal',
    say: (f: { file: string; reason: string }) =>
      `The identity file '${f.file}' ${f.reason}. Restore it from a backup, or remove the whole 'identity' folder to begin with a new tenant, client and key (every issued token and secret then stops working).`,
  },
})
