import { X509Certificate, createHash, createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { randomBytes } from '../base/random.ts'

/**
 * Writes the two kinds of X.509 certificates that this server needs (RFC 5280, DER). Only writing: what is read, Node's
 * own X509Certificate reads. The libraries for this bring decorators and a polyfill of the language's reflection.
 */
export interface CertificateRequest {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** The signer; undefined signs itself with `issuerKey`. */
  readonly issuer?: X509Certificate | undefined
  readonly issuerKey: KeyObject
  /** A certificate authority without intermediates, or a server under these names (DNS names and addresses). */
  readonly use: { readonly kind: 'authority' } | { readonly kind: 'server'; readonly names: readonly string[] }
}

type Der = Uint8Array

function der(tag: number, ...parts: readonly Der[]): Der {
  const body = Buffer.concat(parts)
  const size = body.length
  const head = size < 128 ? [tag, size] : size < 256 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 0xff]
  if (size > 0xffff) throw new RangeError('a certificate member is too long')
  return Buffer.concat([Buffer.from(head), body])
}

const sequence = (...parts: readonly Der[]): Der => der(0x30, ...parts)
const octets = (bytes: Der): Der => der(0x04, bytes)
const utf8 = (text: string): Der => der(0x0c, Buffer.from(text))
const boolTrue = der(0x01, Buffer.from([0xff]))

function oid(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
function time(ms: number): Der {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

function extension(id: string, critical: boolean, value: Der): Der {
  return sequence(oid(id), ...(critical ? [boolTrue] : []), octets(value))
}

function ipBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  // The URL parser brings any spelling of an IPv6 address to hexadecimal groups with at most one gap.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [left = '', right] = text.split('::')
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [head, tail] = [groupsOf(left), groupsOf(right ?? '')]
  const gap = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return Buffer.from(
    [...head, ...gap, ...tail].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]),
  )
}

const alternativeName = (name: string): Der =>
  isIP(name) === 0 ? der(0x82, Buffer.from(name, 'ascii')) : der(0x87, ipBytes(name))

/** RFC 5280 section 4.2.1.2, method 1: SHA-1 of the key's bits, a name and not a signature. */
function keyIdentifier(publicKey: KeyObject): Der {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  // The bit string of an uncompressed P-256 point is the last 65 bytes.
  return createHash('sha1').update(spki.subarray(-65)).digest()
}

/** The whole name is one commonName: `CN=…`. */
const distinguishedName = (commonName: string): Der => sequence(der(0x31, sequence(oid('2.5.4.3'), utf8(commonName))))

function commonNameOf(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, '')
}

function extensions(request: CertificateRequest): Der {
  const issuerPublic = request.issuer?.publicKey ?? request.publicKey
  const common = [
    extension('2.5.29.14', false, octets(keyIdentifier(request.publicKey))),
    extension('2.5.29.35', false, sequence(der(0x80, keyIdentifier(issuerPublic)))),
  ]
  const own =
    request.use.kind === 'authority'
      ? [
          // cA true, pathLen 0: it signs servers, never other authorities.
          extension('2.5.29.19', true, sequence(boolTrue, der(0x02, Buffer.from([0])))),
          // keyCertSign and cRLSign.
          extension('2.5.29.15', true, der(0x03, Buffer.from([1, 0x06]))),
        ]
      : [
          extension('2.5.29.19', true, sequence()),
          // digitalSignature.
          extension('2.5.29.15', true, der(0x03, Buffer.from([7, 0x80]))),
          extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
          extension('2.5.29.17', false, sequence(...request.use.names.map(alternativeName))),
        ]
  return der(0xa3, sequence(...own, ...common))
}

/** Makes and signs (ECDSA with SHA-256) a certificate; checks that Node can read it and that the signature holds. */
export function makeCertificate(request: CertificateRequest): X509Certificate {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  // Positive and of 16 bytes: the first is kept in 0x40…0x7f.
  const serial = Buffer.from(randomBytes(16))
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const issuerName = request.issuer === undefined ? request.subject : commonNameOf(request.issuer)
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    distinguishedName(issuerName),
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    distinguishedName(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    extensions(request),
  )
  const signature = sign('sha256', body, request.issuerKey)
  const certificate = new X509Certificate(sequence(body, algorithm, der(0x03, Buffer.from([0]), signature)))
  if (!certificate.verify(createPublicKey(request.issuerKey))) throw new Error('the new certificate does not verify')
  return certificate
}
