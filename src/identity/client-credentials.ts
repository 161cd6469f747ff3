import type { Directory } from '../directory/directory.ts'
import { getPrincipal } from './clients.ts'
import type { Authority, Client } from './clients.ts'
import { proofMissing } from './client-proof.ts'
import type { Proof } from './client-proof.ts'
import type { Asked, EndpointForm } from './resource.ts'
import { SignInError } from './sign-in-error.ts'
import { armAudience, tokenLifetimeSeconds } from './token.ts'
import type { IssuedToken, TokenSigner } from './token.ts'

export interface CredentialsRequest {
  readonly client: Client
  readonly authority: Authority
  readonly proof: Proof
  readonly asked: Asked
  readonly form: EndpointForm
}

/**
 * The client-credentials grant: a program gets a token for itself. It keeps nothing, so it is signed here and not by
 * oidc-provider (docs/adr/0004).
 */
export async function grantClientCredentials(
  { directory, signer }: { readonly directory: Directory; readonly signer: TokenSigner },
  { client, authority, proof, asked, form }: CredentialsRequest,
): Promise<Readonly<Record<string, unknown>>> {
  if (proof === 'none' || client.application === undefined) throw proofMissing()
  if (form === 'v2' && !asked.scopes.some((scope) => scope.endsWith('/.default')))
    throw new SignInError(
      400,
      'invalid_scope',
      1002012,
      `The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier, e.g. ${armAudience}/.default.`,
    )
  const principal = await getPrincipal(directory, client.application, authority)
  const { objectId, tenantId, appId } = principal
  const audience = asked.audience ?? armAudience
  const token = await signer.sign({ objectId, tenantId, appId, proof }, audience)
  return credentialsAnswer(form, token, asked.resource ?? audience)
}

/** Numbers are text in v1, which also names times and resource (Go SDK, packer). */
function credentialsAnswer(form: EndpointForm, issued: IssuedToken, resource: string): Record<string, unknown> {
  const common = { token_type: 'Bearer', access_token: issued.token }
  if (form === 'v2') return { ...common, expires_in: tokenLifetimeSeconds, ext_expires_in: tokenLifetimeSeconds }
  return {
    ...common,
    expires_in: String(tokenLifetimeSeconds),
    ext_expires_in: String(tokenLifetimeSeconds),
    expires_on: String(issued.expiresSeconds),
    not_before: String(issued.notBeforeSeconds),
    resource,
  }
}
