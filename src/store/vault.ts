import { createHmac, hkdfSync } from 'node:crypto'
import { isStorageClass, type EncryptedClass, type PlainStorageClass, type StorageClass } from './disk-store.ts'
import { storeProblems } from './problems.ts'

/**
 * A vault is a set of stores that keep their bytes encrypted with one data key: disks of different keys never share a
 * folder, a pack or a frame. Its name stands behind the storage class (`Standard_LRS.<32 hex digits>`), so that everything
 * that says where a disk rests (rows, addresses, machines' disks) says it of encrypted disks in the same words.
 */
const vaultName = /^[0-9a-f]{32}$/

export function plainClassOf(storageClass: StorageClass): PlainStorageClass {
  const [plain = ''] = storageClass.split('.')
  if (isStorageClass(plain)) return plain
  throw new RangeError(`'${storageClass}' is no storage class`)
}

/** Undefined: its bytes rest as they are. */
export function vaultOf(storageClass: StorageClass): string | undefined {
  return storageClass.split('.')[1]
}

export function inVault(storageClass: PlainStorageClass, vault: string | undefined): StorageClass {
  return vault === undefined ? storageClass : `${storageClass}.${vault}`
}

/** A class with or without a vault, as rows and addresses spell it. */
export function isPlaceClass(text: string): text is StorageClass {
  const [plain = '', vault, ...more] = text.split('.')
  return isStorageClass(plain) && (vault === undefined || isVaultName(vault)) && more.length === 0
}

export function isVaultName(text: string): boolean {
  return vaultName.test(text)
}

/** What one data key is used for, each with a key of its own. */
export interface VaultSecrets {
  /** AES-256-GCM, of frames. */
  readonly frames: Uint8Array
  /** AES-256-CTR, of manifests, which their root authenticates. */
  readonly manifests: Uint8Array
  /** Under which name a frame rests: a thief cannot look up content that he knows. */
  nameOf(frame: Uint8Array): Uint8Array
}

/** Answers a vault's data key (32 bytes); throws a Problem where it cannot be had. Asked again for each piece of work. */
export type FindVaultKey = (vault: string) => Promise<Uint8Array>

/** The stores of one vault are locked until its key was found, and again as soon as it is gone. */
export interface VaultLock {
  unlock(): Promise<void>
  /** Throws KeyNotAvailable while locked. */
  secrets(): VaultSecrets
}

function secretsOf(key: Uint8Array): VaultSecrets {
  const derive = (purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', key, Buffer.alloc(0), `goldleaf.${purpose}.v1`, 32))
  const names = derive('names')
  return {
    frames: derive('frames'),
    manifests: derive('manifests'),
    nameOf: (frame) => createHmac('sha256', names).update(frame).digest(),
  }
}

export function createVaultLock(vault: string, findKey: FindVaultKey): VaultLock {
  let known: { readonly key: Buffer; readonly secrets: VaultSecrets } | undefined
  return {
    async unlock() {
      try {
        const key = Buffer.from(await findKey(vault))
        if (!known?.key.equals(key)) known = { key, secrets: secretsOf(key) }
      } catch (error) {
        known = undefined
        throw error
      }
    },
    secrets() {
      if (!known) throw storeProblems.KeyNotAvailable({ vault })
      return known.secrets
    },
  }
}

export type { EncryptedClass }
