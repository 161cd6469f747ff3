import { decodeJwt } from 'jose'

/** A sign-in or its refusal, as the activity log is told of it; never anything of a secret or token. */
export interface SignInReport {
  readonly tenantId: string
  /** A user's name or a client id as it was given; undefined where none was. */
  readonly name: string | undefined
  /** Undefined where nobody was recognised. */
  readonly objectId?: string | undefined
  readonly appId?: string | undefined
  /** `client_credentials`, `password`, `refresh_token`, `managed_identity` … */
  readonly grant: string
  readonly clientIpAddress?: string | undefined
  readonly refusal?: { readonly code: string; readonly message: string } | undefined
}

export type ReportSignIn = (report: SignInReport) => void

/** Who a token that was just issued here speaks for; undefined for an answer without one. */
export function reportOfAnswer(
  body: Readonly<Record<string, unknown>>,
  facts: Pick<SignInReport, 'grant' | 'clientIpAddress'>,
): SignInReport | undefined {
  const token = body['access_token']
  if (typeof token !== 'string' || token.split('.').length !== 3) return undefined
  const { tid, oid, appid, upn } = decodeJwt(token)
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  return {
    ...facts,
    tenantId: text(tid) ?? '',
    objectId: text(oid),
    appId: text(appid),
    name: text(upn) ?? text(appid),
  }
}
