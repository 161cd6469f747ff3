import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { readFileIfAny, readSecretFile, writeDurableFile } from '../identity/secret-file.ts'
import { makeCertificate } from './certificate.ts'

const dayMs = 86_400_000
const authorityDays = 3_650
/** Apple's and others' strictest rule for server certificates is 398 days; 825 is the oldest one still in force. */
const serverDays = 397
/** Renewed when it has less left than this. */
const serverRenewDays = 30
/** An authority must outlive the certificates that it signs. */
const authorityRenewDays = serverDays + serverRenewDays
/** Guests and containers often wake up with a clock that is a little behind. */
const backdateMs = dayMs

export interface TlsFiles {
  /** PEM. */
  readonly cert: string
  readonly key: string
  /** PEM of the authority, for clients: REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE. */
  readonly caFile: string
  readonly notAfterMs: number
  /** What this call had to make: worth a line in the log, because clients hold the old authority. */
  readonly made: { readonly authority: boolean; readonly server: boolean }
}

interface Pair {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

async function readPair(certificatePath: string, keyPath: string): Promise<Pair | undefined> {
  const [certificatePem, keyPem] = [await readFileIfAny(certificatePath), await readSecretFile(keyPath)]
  if (certificatePem === undefined || keyPem === undefined) return undefined
  try {
    const certificate = new X509Certificate(certificatePem)
    const key = createPrivateKey(keyPem)
    // Writing two files is not atomic: a crash in between leaves a pair that does not fit.
    return certificate.checkPrivateKey(key) ? { certificate, key } : undefined
  } catch (cause) {
    throw new Problem(
      'internal',
      'TlsFilesBroken',
      `The TLS files ${certificatePath} and ${keyPath} cannot be read. Restore them, or remove the 'tls' folder to make new ones (clients must then be given the new ca.pem).`,
      { cause },
    )
  }
}

async function writePair(pair: Pair, certificatePath: string, keyPath: string): Promise<void> {
  // The key first: a certificate that was read is believed to have its key beside it.
  await writeDurableFile(keyPath, pair.key.export({ type: 'pkcs8', format: 'pem' }))
  await writeDurableFile(certificatePath, pair.certificate.toString(), 0o644)
}

function isFresh({ certificate }: Pair, nowMs: number, days: number): boolean {
  return nowMs >= Date.parse(certificate.validFrom) && nowMs + days * dayMs < Date.parse(certificate.validTo)
}

function makeAuthority(nowMs: number): Pair {
  const key = newKey()
  const certificate = makeCertificate({
    // The name tells two authorities apart in a client's store.
    subject: `Goldleaf local CA ${new Date(nowMs).toISOString().slice(0, 10)}`,
    publicKey: createPublicKey(key),
    issuerKey: key,
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + authorityDays * dayMs,
    use: { kind: 'authority' },
  })
  return { certificate, key }
}

/** Brings an address or name to the form in which it is compared with a certificate's; undefined for what is neither. */
function certificateName(text: string): string | undefined {
  const name = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  if (isIP(name) === 6) return new URL(`http://[${name}]`).hostname.slice(1, -1)
  if (isIP(name) === 4) return name
  const lower = name.toLowerCase().replace(/\.$/, '')
  return /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(lower)
    ? lower
    : undefined
}

/**
 * The names a client on this machine or in its network may use: loopback, the host's name, the listen address, and all
 * of the host's addresses where the server listens on all. `*.blob.localhost` is for storage addresses.
 */
export function certificateNames(listenHosts: readonly string[], publicNames: readonly string[]): readonly string[] {
  const isWildcard = listenHosts.some((host) => host === '0.0.0.0' || host === '::' || host === '[::]')
  const addresses = isWildcard
    ? Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
    : []
  const texts = [
    'localhost',
    '127.0.0.1',
    '::1',
    '*.blob.localhost',
    hostname(),
    ...listenHosts,
    ...publicNames,
    ...addresses,
  ]
  const names = texts.map(certificateName).filter((name) => name !== undefined)
  return [...new Set(names)].filter((name) => name !== '0.0.0.0' && name !== '::')
}

/** `DNS:localhost, IP Address:0:0:0:0:0:0:0:1` as Node prints it -> names in the form of `certificateNames`. */
function namesOf(certificate: X509Certificate): ReadonlySet<string> {
  const entries = (certificate.subjectAltName ?? '').split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
  return new Set(entries.map(certificateName).filter((name) => name !== undefined))
}

/**
 * Opens `<data>/tls`, making what is missing, near its end or without one of `names`: an authority of this
 * installation (10 years) and a server certificate signed by it (397 days). May be called again at any time to renew;
 * clients keep trusting as long as the authority stays. Keys have mode 0600, every file is written durably.
 */
export async function openTls(dataFolder: string, names: readonly string[], clock: Clock): Promise<TlsFiles> {
  const folder = join(dataFolder, 'tls')
  // Open to all users of the machine: they need ca.pem. The keys are closed by their own modes.
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const nowMs = clock.now()
  const caFile = join(folder, 'ca.pem')
  const caKeyFile = join(folder, 'ca-key.pem')
  let authority = await readPair(caFile, caKeyFile)
  const isAuthorityNew = authority === undefined || !isFresh(authority, nowMs, authorityRenewDays)
  if (authority === undefined || isAuthorityNew) {
    authority = makeAuthority(nowMs)
    await writePair(authority, caFile, caKeyFile)
  }
  const certificateFile = join(folder, 'server.pem')
  const keyFile = join(folder, 'server-key.pem')
  let server = await readPair(certificateFile, keyFile)
  const isServerGood =
    server !== undefined &&
    isFresh(server, nowMs, serverRenewDays) &&
    server.certificate.checkIssued(authority.certificate) &&
    server.certificate.verify(authority.certificate.publicKey) &&
    isSuperset(namesOf(server.certificate), names)
  if (server === undefined || !isServerGood) {
    const key = newKey()
    const certificate = makeCertificate({
      subject: 'Goldleaf',
      publicKey: createPublicKey(key),
      issuer: authority.certificate,
      issuerKey: authority.key,
      notBeforeMs: nowMs - backdateMs,
      notAfterMs: nowMs + serverDays * dayMs - backdateMs,
      use: { kind: 'server', names },
    })
    server = { certificate, key }
    await writePair(server, certificateFile, keyFile)
  }
  return {
    cert: server.certificate.toString(),
    key: server.key.export({ type: 'pkcs8', format: 'pem' }),
    caFile,
    notAfterMs: Date.parse(server.certificate.validTo),
    made: { authority: isAuthorityNew, server: !isServerGood },
  }
}

function isSuperset(all: ReadonlySet<string>, some: readonly string[]): boolean {
  return some.every((name) => all.has(name))
}
