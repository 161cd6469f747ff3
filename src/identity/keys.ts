import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { JWK } from 'jose'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { randomBytes } from '../base/random.ts'
import { identityProblems } from './problems.ts'
import { readSecretFile, writeDurableFile } from './secret-file.ts'

/** Tokens are signed with RSA as Entra ID signs them, and nothing else: the verifier pins it. */
export const tokenAlgorithm = 'RS256'

/** A new key takes over after so long. */
const rotateAfterMs = 30 * 86_400_000
/** A key that was replaced is shown and verifies for so long: longer than any token of its lives. */
const keepReplacedMs = 86_400_000

const file = 'keys.json'
const text = Type.String({ minLength: 1 })
const ringSchema = Type.Object({
  sealKey: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  keys: Type.Array(
    Type.Object({
      createdMs: Type.Integer({ minimum: 0 }),
      jwk: Type.Object({
        kty: Type.Literal('RSA'),
        n: text,
        e: text,
        d: text,
        p: text,
        q: text,
        dp: text,
        dq: text,
        qi: text,
      }),
    }),
    { minItems: 1 },
  ),
})
type RingFile = Static<typeof ringSchema>

/** The public half of a signing key, as the JWKS document shows it. */
export interface PublicJwk {
  readonly kty: 'RSA'
  readonly n: string
  readonly e: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: typeof tokenAlgorithm
}

export interface SigningKey {
  readonly createdMs: number
  readonly signingKey: CryptoKey
  readonly verifyingKey: CryptoKey
  readonly publicJwk: PublicJwk
  /** With its private half, for oidc-provider. */
  readonly privateJwk: JWK
}

/** Encrypts and names what rests in the database, so that a copy of it opens no session. */
export interface Seal {
  /** A name by which a secret value is found again, and which does not give it away. */
  hide(text: string): string
  seal(text: string): string
  /** Throws for anything that `seal` did not make. */
  open(sealed: string): string
}

/** The keys of this server: one signs, the ones before it still verify. */
export interface KeyRing {
  /** The one that signs. */
  current(): SigningKey
  /** Newest first; another array after every change. */
  all(): readonly SigningKey[]
  find(kid: string | undefined): SigningKey | undefined
  readonly seal: Seal
  /** A secret of its own for a purpose, e.g. signing cookies. */
  derive(purpose: string): Buffer
  /**
   * A new key signs from now on; those before it still verify, or with `drop` do no more. Another process sees it at its
   * next `refresh`.
   */
  rotate(nowMs: number, old?: 'keep' | 'drop'): Promise<void>
  /** For a schedule: reads the file again, rotates an old key, drops keys whose tokens are dead. */
  refresh(nowMs: number): Promise<void>
}

async function drawKey(nowMs: number): Promise<RingFile['keys'][number]> {
  const { privateKey } = await generateKeyPair(tokenAlgorithm, { extractable: true, modulusLength: 2048 })
  const { n = '', e = '', d = '', p = '', q = '', dp = '', dq = '', qi = '' } = await exportJWK(privateKey)
  return { createdMs: nowMs, jwk: { kty: 'RSA', n, e, d, p, q, dp, dq, qi } }
}

function parseRing(content: string): RingFile {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (cause) {
    throw identityProblems.IdentityFilesBroken({ file, reason: 'is not valid JSON' }, { cause })
  }
  if (Value.Check(ringSchema, value)) return value
  throw identityProblems.IdentityFilesBroken({ file, reason: 'lacks what it should hold' })
}

async function loadKey({ createdMs, jwk }: RingFile['keys'][number]): Promise<SigningKey> {
  try {
    const { kty, n, e } = jwk
    const signingKey = await importJWK(jwk, tokenAlgorithm)
    const verifyingKey = await importJWK({ kty, n, e }, tokenAlgorithm)
    if (signingKey instanceof Uint8Array || verifyingKey instanceof Uint8Array) throw new Error('not a key pair')
    const probe = new Uint8Array(1)
    const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', signingKey, probe)
    if (!(await crypto.subtle.verify('RSASSA-PKCS1-v1_5', verifyingKey, signature, probe)))
      throw new Error('the halves of the key do not belong together')
    const kid = await calculateJwkThumbprint({ kty, n, e })
    const publicJwk: PublicJwk = { kty, n, e, kid, use: 'sig', alg: tokenAlgorithm }
    return { createdMs, signingKey, verifyingKey, publicJwk, privateJwk: { ...jwk, ...publicJwk } }
  } catch (cause) {
    throw identityProblems.IdentityFilesBroken({ file, reason: 'does not hold a usable key' }, { cause })
  }
}

function createSeal(secret: Buffer): Seal {
  const nameKey = deriveKey(secret, 'artefact-names')
  const contentKey = deriveKey(secret, 'artefact-contents')
  return {
    hide: (value) => createHmac('sha256', nameKey).update(value).digest('base64url'),
    seal(value) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', contentKey, nonce)
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', contentKey, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
    },
  }
}

function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
}

/** Whether there is a ring in this folder: facts without one mean that a file was lost. */
export async function hasKeyRing(folder: string): Promise<boolean> {
  return (await readSecretFile(join(folder, file))) !== undefined
}

/** Opens the ring, or draws its first key. Throws IdentityFilesBroken for a damaged file. */
export async function openKeyRing(folder: string, nowMs: number): Promise<KeyRing> {
  const path = join(folder, file)
  const write = (ring: RingFile): Promise<void> => writeDurableFile(path, `${JSON.stringify(ring, undefined, 2)}\n`)
  let content = await readSecretFile(path)
  if (content === undefined) {
    const sealKey = Buffer.from(randomBytes(32)).toString('base64url')
    await write({ sealKey, keys: [await drawKey(nowMs)] })
    content = (await readSecretFile(path)) ?? ''
  }
  let ring = parseRing(content)
  let keys = await Promise.all(ring.keys.map(loadKey))
  const secret = Buffer.from(ring.sealKey, 'base64url')
  /** Loaded before it is written, written before it is used: no token is signed with a key that a restart would lose. */
  const replace = async (next: RingFile, isWritten = false): Promise<void> => {
    const loaded = await Promise.all(next.keys.map(loadKey))
    if (!isWritten) await write(next)
    keys = loaded
    ring = next
  }
  const reread = async (): Promise<void> => replace(parseRing((await readSecretFile(path)) ?? ''), true)
  const rotate = async (nowMs: number, old: 'keep' | 'drop' = 'keep'): Promise<void> => {
    // What another process has rotated meanwhile stays.
    await reread()
    await replace({ ...ring, keys: [await drawKey(nowMs), ...(old === 'keep' ? ring.keys : [])] })
  }
  return {
    current() {
      const [newest] = keys
      if (newest === undefined) throw new Error('the key ring is empty')
      return newest
    },
    all: () => keys,
    find: (kid) => keys.find(({ publicJwk }) => publicJwk.kid === kid),
    seal: createSeal(secret),
    derive: (purpose) => deriveKey(secret, purpose),
    rotate,
    async refresh(nowMs) {
      await reread()
      if (nowMs - (ring.keys[0]?.createdMs ?? 0) >= rotateAfterMs) await rotate(nowMs)
      // A key was replaced when the one before it in the list came.
      const alive = ring.keys.filter(
        (_, at) => at === 0 || nowMs - (ring.keys[at - 1]?.createdMs ?? 0) < keepReplacedMs,
      )
      if (alive.length < ring.keys.length) await replace({ ...ring, keys: alive })
    },
  }
}
