import { createHash, scrypt, timingSafeEqual } from 'node:crypto'
import { randomBytes } from '../base/random.ts'

/**
 * How secrets rest. Passwords are chosen by people: scrypt, at the cost that OWASP's password storage cheat sheet lists
 * (2^15 blocks of 8, 3 rounds; some 200 ms and 32 MiB). Secrets of applications are drawn here with 256 random bits, so
 * that a slow hash would add nothing: SHA-256.
 */
const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 } as const
const hashBytes = 32

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, hashBytes, cost, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

/** `scrypt:15:8:3:SALT:HASH`: the cost stands beside the hash, so that it can grow later. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const key = await derive(password, salt)
  return `scrypt:15:8:3:${Buffer.from(salt).toString('base64url')}:${key.toString('base64url')}`
}

/** Nobody's hash: an unknown user costs as much time as a wrong password. */
const nobody = `scrypt:15:8:3:${'A'.repeat(22)}:${'A'.repeat(43)}`

/** In constant time; false for `undefined` after the same work. */
export async function isPasswordOf(hash: string | undefined, password: string): Promise<boolean> {
  const [scheme, , , , salt = '', expected = ''] = (hash ?? nobody).split(':')
  const key = await derive(password, Buffer.from(salt, 'base64url'))
  const wanted = Buffer.from(expected, 'base64url')
  const equal = wanted.length === key.length && timingSafeEqual(key, wanted)
  return equal && scheme === 'scrypt' && hash !== undefined
}

/** 43 characters of base64url: no client has to escape them. */
export function drawSecret(): string {
  return Buffer.from(randomBytes(32)).toString('base64url')
}

export function hashSecret(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('hex')}`
}

/** Whether one of the hashes is this secret's, each compared in constant time. */
export function isOneOf(hashes: readonly string[], secret: string): boolean {
  const given = Buffer.from(hashSecret(secret))
  return hashes.filter((hash) => hash.length === given.length && timingSafeEqual(Buffer.from(hash), given)).length > 0
}

/** SHA-1 and SHA-256 of a certificate's DER (base64), base64url: `x5t` and `x5t#S256` of RFC 7515. */
export function thumbprintsOf(certificate: string): { readonly thumbprint: string; readonly thumbprintSha256: string } {
  const der = Buffer.from(certificate, 'base64')
  return {
    thumbprint: createHash('sha1').update(der).digest('base64url'),
    thumbprintSha256: createHash('sha256').update(der).digest('base64url'),
  }
}
