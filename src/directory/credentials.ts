import { X509Certificate } from 'node:crypto'
import { randomUuid } from '../base/random.ts'
import type { KeyCredential, PasswordCredential } from './directory.ts'
import { deleteSecretRow, putSecretRow } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'
import { changeObject } from './room.ts'
import type { DirectoryRoom } from './room.ts'
import { drawSecret, hashSecret, thumbprintsOf } from './secrets.ts'

/** Who may have credentials: an application, good in every tenant, or a principal, good in its own. */
export type Holder = 'application' | 'servicePrincipal'

export interface SecretDraft {
  readonly displayName?: string | undefined
  readonly startMs?: number | undefined
  readonly endMs?: number | undefined
}

/** Graph's default. */
const twoYearsMs = 2 * 365 * 86_400_000
const longestHintChars = 3

/** A secret drawn here; its text is answered this once and kept nowhere. */
export async function addSecret(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  holder: Holder,
  draft: SecretDraft,
): Promise<PasswordCredential & { readonly secretText: string }> {
  const startMs = draft.startMs ?? room.clock.now()
  const endMs = draft.endMs ?? startMs + twoYearsMs
  if (endMs <= startMs)
    throw directoryProblems.Request_BadRequest({ message: 'The endDateTime of a credential is not after its start.' })
  const secretText = drawSecret()
  const credential: PasswordCredential = {
    keyId: randomUuid(),
    displayName: draft.displayName,
    hint: secretText.slice(0, longestHintChars),
    startDateTime: new Date(startMs).toISOString(),
    endDateTime: new Date(endMs).toISOString(),
  }
  await changeObject(room, tenantId, objectId, holder, async (owner, tx) => {
    await putSecretRow(tx, {
      tenantId,
      objectId: owner.objectId,
      keyId: credential.keyId,
      hash: hashSecret(secretText),
      startMs,
      endMs,
    })
    return { ...owner, passwordCredentials: [...(owner.passwordCredentials ?? []), credential] }
  })
  return { ...credential, secretText }
}

/** Throws Request_BadRequest where there is none with this id. */
export async function removeSecret(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  holder: Holder,
  keyId: string,
): Promise<void> {
  await changeObject(room, tenantId, objectId, holder, async (owner, tx) => {
    const kept = (owner.passwordCredentials ?? []).filter((one) => one.keyId !== keyId.toLowerCase())
    if (kept.length === (owner.passwordCredentials ?? []).length)
      throw directoryProblems.Request_BadRequest({ message: `No password credential found with keyId '${keyId}'.` })
    await deleteSecretRow(tx, tenantId, owner.objectId, keyId.toLowerCase())
    return { ...owner, passwordCredentials: kept }
  })
}

export interface KeyDraft {
  readonly keyId?: string | undefined
  readonly displayName?: string | undefined
  /** Base64 of DER, or of PEM: az sends the base64 lines of a PEM file, whose decoding is DER. */
  readonly certificate: string
  readonly startMs?: number | undefined
  readonly endMs?: number | undefined
}

/** Throws Request_BadRequest for what is no certificate. Its own times bound those that were asked for. */
export function parseKey(draft: KeyDraft): KeyCredential {
  let der: Buffer
  let times: { readonly startMs: number; readonly endMs: number }
  try {
    const given = Buffer.from(draft.certificate.replaceAll(/\s+/g, ''), 'base64')
    const certificate = new X509Certificate(given)
    der = certificate.raw
    times = { startMs: Date.parse(certificate.validFrom), endMs: Date.parse(certificate.validTo) }
  } catch (cause) {
    const message = 'Key credential is invalid: its key is not an X.509 certificate. Send the certificate, base64.'
    throw directoryProblems.Request_BadRequest({ message }, { cause })
  }
  const startMs = Math.max(draft.startMs ?? times.startMs, times.startMs)
  const endMs = Math.min(draft.endMs ?? times.endMs, times.endMs)
  const certificate = der.toString('base64')
  return {
    keyId: draft.keyId ?? randomUuid(),
    displayName: draft.displayName,
    certificate,
    ...thumbprintsOf(certificate),
    startDateTime: new Date(startMs).toISOString(),
    endDateTime: new Date(endMs).toISOString(),
  }
}
