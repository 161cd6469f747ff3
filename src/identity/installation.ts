import { createHash, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { randomBytes, randomUuid } from '../base/random.ts'
import { identityProblems } from './problems.ts'
import { ensureSecretFolder, readSecretFile, writeDurableFile } from './secret-file.ts'

/** Tokens are signed with ECDSA on P-256 and nothing else: the verifier pins it. */
export const tokenAlgorithm = 'ES256'

const uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })
const factsSchema = Type.Object({
  tenantId: uuid,
  subscriptionId: uuid,
  clientId: uuid,
  objectId: uuid,
  clientSecretSha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
})
const keySchema = Type.Object({
  kty: Type.Literal('EC'),
  crv: Type.Literal('P-256'),
  x: Type.String(),
  y: Type.String(),
  d: Type.String(),
})

/** The public half of the signing key, as the JWKS document shows it. */
export interface PublicJwk {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: typeof tokenAlgorithm
}

/**
 * Who this server is and who may sign in: drawn once, at first start. One tenant, one subscription, one client (a
 * service principal of the tenant).
 */
export interface Installation {
  readonly tenantId: string
  readonly subscriptionId: string
  readonly clientId: string
  /** Of the client's service principal. */
  readonly objectId: string
  /** File with the client's secret in plain, for `goldleaf env`; the operator may remove it. */
  readonly clientSecretFile: string
  readonly signingKey: CryptoKey
  readonly verifyingKey: CryptoKey
  readonly publicJwk: PublicJwk
  /** In constant time. */
  isClientSecret(secret: string): boolean
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function parseFile<T extends TSchema>(schema: T, text: string, file: string): Static<T> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw identityProblems.IdentityFilesBroken({ file, reason: 'is not valid JSON' }, { cause })
  }
  if (Value.Check(schema, value)) return value
  throw identityProblems.IdentityFilesBroken({ file, reason: 'lacks what it should hold' })
}

async function openSigningKey(folder: string) {
  const file = 'signing-key.json'
  const path = join(folder, file)
  let text = await readSecretFile(path)
  if (text === undefined) {
    const { privateKey } = await generateKeyPair(tokenAlgorithm, { extractable: true })
    text = JSON.stringify(await exportJWK(privateKey))
    await writeDurableFile(path, `${text}\n`)
  }
  const { kty, crv, x, y, d } = parseFile(keySchema, text, file)
  try {
    const signingKey = await importJWK({ kty, crv, x, y, d }, tokenAlgorithm)
    const verifyingKey = await importJWK({ kty, crv, x, y }, tokenAlgorithm)
    if (signingKey instanceof Uint8Array || verifyingKey instanceof Uint8Array) throw new Error('not a key pair')
    const kid = await calculateJwkThumbprint({ kty, crv, x, y })
    const publicJwk: PublicJwk = { kty, crv, x, y, kid, use: 'sig', alg: tokenAlgorithm }
    return { signingKey, verifyingKey, publicJwk }
  } catch (cause) {
    throw identityProblems.IdentityFilesBroken({ file, reason: 'does not hold a usable key' }, { cause })
  }
}

/**
 * Opens `<data>/identity`, making what is missing. Order of writes at first start: secret, key, and last the facts
 * (installation.json), so that a crash in between leaves nothing that the next start would misread. Throws
 * IdentityFilesBroken for damaged files: silently drawing new ids would orphan every resource of the old subscription.
 */
export async function openInstallation(dataFolder: string): Promise<Installation> {
  const folder = join(dataFolder, 'identity')
  await ensureSecretFolder(folder)
  const clientSecretFile = join(folder, 'client-secret')
  const factsPath = join(folder, 'installation.json')
  let text = await readSecretFile(factsPath)
  // Facts without a key mean that a file was lost, not a first start.
  if (text !== undefined && (await readSecretFile(join(folder, 'signing-key.json'))) === undefined)
    throw identityProblems.IdentityFilesBroken({ file: 'signing-key.json', reason: 'is missing' })
  if (text === undefined) {
    const secret =
      (await readSecretFile(clientSecretFile))?.trim() || Buffer.from(randomBytes(32)).toString('base64url')
    await writeDurableFile(clientSecretFile, `${secret}\n`)
    await openSigningKey(folder)
    const facts: Static<typeof factsSchema> = {
      tenantId: randomUuid(),
      subscriptionId: randomUuid(),
      clientId: randomUuid(),
      objectId: randomUuid(),
      // 256 random bits: a slow password hash would add nothing.
      clientSecretSha256: sha256(secret),
    }
    text = JSON.stringify(facts, undefined, 2)
    await writeDurableFile(factsPath, `${text}\n`)
  }
  const facts = parseFile(factsSchema, text, 'installation.json')
  const expected = Buffer.from(facts.clientSecretSha256, 'hex')
  return {
    tenantId: facts.tenantId,
    subscriptionId: facts.subscriptionId,
    clientId: facts.clientId,
    objectId: facts.objectId,
    clientSecretFile,
    ...(await openSigningKey(folder)),
    isClientSecret: (secret) => timingSafeEqual(Buffer.from(sha256(secret), 'hex'), expected),
  }
}
