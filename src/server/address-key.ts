import { join } from 'node:path'
import { randomBytes } from '../base/random.ts'
import { ensureSecretFolder, readSecretFile, writeDurableFile } from '../identity/secret-file.ts'

/** The key that signs addresses of uploads and downloads: drawn at first start, kept over restarts, mode 0600. */
export async function openAddressKey(dataFolder: string): Promise<Uint8Array> {
  const folder = join(dataFolder, 'identity')
  await ensureSecretFolder(folder)
  const path = join(folder, 'address-key')
  const known = await readSecretFile(path)
  if (known !== undefined) return Buffer.from(known.trim(), 'base64url')
  const key = randomBytes(32)
  await writeDurableFile(path, `${Buffer.from(key).toString('base64url')}\n`)
  return key
}
