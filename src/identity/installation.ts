import { createHash, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { systemClock } from '../base/clock.ts'
import { randomBytes, randomUuid } from '../base/random.ts'
import { hasKeyRing, openKeyRing } from './keys.ts'
import type { KeyRing } from './keys.ts'
import { identityProblems } from './problems.ts'
import { ensureSecretFolder, readSecretFile, writeDurableFile } from './secret-file.ts'

const uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })
const factsSchema = Type.Object({
  tenantId: uuid,
  subscriptionId: uuid,
  clientId: uuid,
  objectId: uuid,
  clientSecretSha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
})
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
  readonly keys: KeyRing
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

/** The one key of servers before the key ring; its tokens are dead within an hour, so a new ring may take over. */
async function hasFirstKey(folder: string): Promise<boolean> {
  return (await readSecretFile(join(folder, 'signing-key.json'))) !== undefined
}

/**
 * Opens `<data>/identity`, making what is missing. Order of writes at first start: secret, keys, and last the facts
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
  if (text !== undefined && !(await hasKeyRing(folder)) && !(await hasFirstKey(folder)))
    throw identityProblems.IdentityFilesBroken({ file: 'keys.json', reason: 'is missing' })
  if (text === undefined) {
    const secret =
      (await readSecretFile(clientSecretFile))?.trim() || Buffer.from(randomBytes(32)).toString('base64url')
    await writeDurableFile(clientSecretFile, `${secret}\n`)
    await openKeyRing(folder, systemClock.now())
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
    keys: await openKeyRing(folder, systemClock.now()),
    isClientSecret: (secret) => timingSafeEqual(Buffer.from(sha256(secret), 'hex'), expected),
  }
}
