import { X509Certificate } from 'node:crypto'
import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import { galleryProblems } from './problems.ts'

type Signatures = NonNullable<
  NonNullable<NonNullable<GalleryImageVersionProperties['securityProfile']>['uefiSettings']>['additionalSignatures']
>
type Key = NonNullable<Signatures['pk']>

const path = 'galleryImageVersion.properties.securityProfile.uefiSettings'
const base64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/

/**
 * UEFI settings of a version: keys that a firmware could not use are refused at once, not at some machine's start.
 * A key is a DER certificate (x509) or a hash (sha256), each in base64; a hash also in hex.
 */
export function checkUefiSettings(
  profile: GalleryImageVersionProperties['securityProfile'],
  generation: string | undefined,
): void {
  const settings = profile?.uefiSettings
  if (settings === undefined) return
  if (generation !== 'V2') throw galleryProblems.UefiSettingsNeedV2({}, { target: path })
  const { pk, kek = [], db = [], dbx = [] } = settings.additionalSignatures ?? {}
  if (pk) checkKey(pk, 'pk')
  for (const key of kek) checkKey(key, 'kek')
  for (const key of db) checkKey(key, 'db')
  for (const key of dbx) checkKey(key, 'dbx')
}

function checkKey({ type = 'x509', value = [] }: Key, name: string): void {
  const at = `${path}.additionalSignatures.${name}.value`
  const wanted = type === 'sha256' ? 'give 32 bytes in base64 or hex' : 'give a DER certificate in base64'
  for (const one of value)
    if (type === 'sha256' ? !isHash(one) : !isCertificate(one))
      throw galleryProblems.UefiSignature({ path: at, type, wanted }, { target: at })
}

function isHash(value: string): boolean {
  return /^[0-9a-fA-F]{64}$/.test(value) || (base64.test(value) && Buffer.from(value, 'base64').length === 32)
}

function isCertificate(value: string): boolean {
  if (!base64.test(value)) return false
  try {
    return new X509Certificate(Buffer.from(value, 'base64')).subject !== ''
  } catch {
    return false
  }
}
