import { execFileSync } from 'node:child_process'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  /** Base64 of the DER, as Graph takes it. */
  readonly certificate: string
  readonly privateKey: KeyObject
  /** Key and certificate in one file's text, as `az login -p FILE` and ClientCertificateCredential take it. */
  readonly pem: string
}

/** A self-signed RSA certificate, by openssl as the manuals of Azure make it. */
export function makeCertificate(): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'goldleaf-certificate-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test']
    execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const pem = `${readFileSync(key, 'utf8')}${readFileSync(cert, 'utf8')}`
    const certificate = new X509Certificate(readFileSync(cert)).raw.toString('base64')
    return { certificate, privateKey: createPrivateKey(readFileSync(key)), pem }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
