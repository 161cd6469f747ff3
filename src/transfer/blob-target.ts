import type { FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import type { FindAccount } from './account.ts'
import { admitToAccount, type AccountNeed } from './account-gate.ts'
import { getContainer } from './containers.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { Db } from '../db/tables.ts'
import type { AddressSigner } from './address-signer.ts'
import { parseBlobName } from './blob-names.ts'
import { transferProblems } from './problems.ts'
import { headerOf, type RawTarget } from './request-facts.ts'
import { isOwnQuery, isSignedQuery, type AddressRight } from './signed-address.ts'
import { findUpload, findUploadByAddress, type Upload } from './upload.rows.ts'

/** What the path of a data-plane request names; whether it exists is seen after the right to it. */
export type BlobTarget =
  | {
      readonly kind: 'blob'
      readonly account: string
      readonly container: string
      readonly name: string
      readonly thing: string
      readonly address: string
    }
  | { readonly kind: 'disk'; readonly name: string; readonly thing: string; readonly id: string }

/** `/blob/{account}/{container}/{blob…}` or `/disk-upload/{id}[/abcd]`. Throws InvalidUri. */
export function parseTarget({ segments }: RawTarget): BlobTarget {
  const [area, first = '', second = '', ...rest] = segments
  if (area?.toLowerCase() === 'disk-upload') {
    const id = first.toLowerCase()
    if (!/^[0-9a-f-]{36}$/.test(id) || rest.length > 0) throw transferProblems.BlobNotFound({ name: first })
    return { kind: 'disk', name: id, thing: `upload/${id}`, id }
  }
  const name = parseBlobName(first, second, rest.join('/'))
  const { account, container, blob, address } = name
  return { kind: 'blob', account, container, name: blob, thing: `blob/${address}`, address }
}

export interface Gate {
  readonly db: Db
  readonly signer: AddressSigner
  readonly authenticate: Authenticator
  readonly authorize: Authorizer
  /** Owns blobs that are written by signed address or by a caller who names no other (`x-goldleaf-subscription`). */
  readonly defaultSubscriptionId: string
  readonly clock: Clock
  readonly findAccount: FindAccount
}

/** In the letters of a shared access signature: what makes a blob anew is `c`, what changes one `w`. */
function accountNeed(
  { container, name }: BlobTarget & { readonly kind: 'blob' },
  method: string,
  need: AddressRight,
): AccountNeed {
  const right = need === 'read' ? 'read' : method === 'DELETE' ? 'delete' : 'write'
  const anyOf = { read: 'r', delete: 'd', write: 'cw' }[right]
  return { level: 'o', container, blob: name, anyOf, action: `blobServices/containers/blobs/${right}` }
}

const blobActions = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'

/**
 * Lets the request through or throws: a signed query decides alone; else a bearer token with the right to the
 * subscription the upload belongs to. Answers the upload (undefined: there is none) and whose a new one would be.
 */
export async function admit(
  gate: Gate,
  request: FastifyRequest,
  target: BlobTarget,
  query: URLSearchParams,
  need: AddressRight,
): Promise<{ readonly upload: Upload | undefined; readonly subscriptionId: string }> {
  const find = () =>
    target.kind === 'blob' ? findUploadByAddress(gate.db, 'blob', target.address) : findUpload(gate.db, target.id)
  const account = target.kind === 'blob' ? await gate.findAccount(target.account) : undefined
  if (account && target.kind === 'blob' && !isOwnQuery(query)) {
    await admitToAccount(gate, request, account, query, accountNeed(target, request.method, need))
    await getContainer(gate.db, account, target.container)
    return { upload: await find(), subscriptionId: account.subscriptionId }
  }
  if (isSignedQuery(query)) {
    const grant = await gate.signer.check(target.thing, need, query)
    const upload = await find()
    if (upload?.kind === 'disk' && !upload.facts.grants.includes(grant.id))
      throw transferProblems.AuthenticationFailed({ reason: 'it was revoked.' })
    return { upload, subscriptionId: upload?.subscriptionId ?? gate.defaultSubscriptionId }
  }
  if (request.headers.authorization === undefined) throw transferProblems.NoAuthenticationInformation({})
  const caller = await gate.authenticate(request.headers.authorization)
  const upload = await find()
  const subscriptionId =
    upload?.subscriptionId ?? headerOf(request, 'x-goldleaf-subscription') ?? gate.defaultSubscriptionId
  await gate.authorize(caller, `${blobActions}/${need}`, `/subscriptions/${subscriptionId}`)
  return { upload, subscriptionId }
}
