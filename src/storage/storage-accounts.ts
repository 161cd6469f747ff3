import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { randomBytes } from '../base/random.ts'
import { storageAccountNameRule } from '../contract/names.ts'
import { storageApiVersions } from '../contract/storage-accounts.ts'
import type { Db, DbOrTx } from '../db/tables.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import type { ProviderQuestion } from '../resources/provider-question.ts'
import { listResourcesOfType, lockResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { editFacts } from './facts.rows.ts'
import { storageProblems } from './problems.ts'

export const storageAccountType = 'Microsoft.Storage/storageAccounts'
const factsMember = 'x-goldleaf'
// As many as Azure's keys have.
const keyBytes = 64

export interface StorageDependencies {
  readonly db: Db
  /** Removes containers and blobs of an account. */
  readonly removeBlobs: (account: string) => Promise<void>
  /**
   * Whether another subscription has blobs under this name in the free upload area: they would become the account's,
   * planted by whoever guessed its name first.
   */
  readonly hasForeignBlobs: (tx: DbOrTx, account: string, subscriptionId: string) => Promise<boolean>
}

interface AccountKey {
  /** Base64. */
  readonly value: string
  readonly createdMs: number
}

/** What the data plane needs to know of an account. */
export interface StorageAccount {
  readonly id: string
  readonly name: string
  readonly subscriptionId: string
  /** Base64; either of them signs. Empty where the account allows no shared keys. */
  readonly keys: readonly string[]
  readonly skuName: string
  readonly kind: string
}

/** What `storageAccounts` mean. */
export function storageAccountsBehaviour(deps: StorageDependencies): Behaviour {
  return {
    type: storageAccountType,
    prepare: async (change, context) => prepareAccount(change, context),
    async commit(tx, change) {
      if (change.before) return
      const taken = await findByName(tx, change.id.name, change.id.key)
      const { name, subscriptionId } = change.id
      if (taken || (await deps.hasForeignBlobs(tx, name.toLowerCase(), subscriptionId)))
        throw storageProblems.StorageAccountAlreadyTaken({ name }, { target: 'name' })
    },
    async remove(account) {
      await deps.removeBlobs(account.name.toLowerCase())
      return undefined
    },
    show: async (account, context) => ({ ...account.properties, ...endpoints(account, context.baseUrl) }),
    actions: {
      listKeys: async ({ resource }) => ({ kind: 'done', body: { keys: showKeys(keysOf(resource)) } }),
      async regenerateKey({ resource, body }, context) {
        const { keyName } = body
        const index = typeof keyName === 'string' && keyName.endsWith('2') ? 1 : 0
        const keys = keysOf(resource).map((key, at) => (at === index ? newKey(context.nowMs) : key))
        await deps.db.transaction().execute(async (tx) => {
          await lockResource(tx, resource.key)
          await editFacts(tx, resource.key, factsMember, formatKeys(keys))
        })
        return { kind: 'done', body: { keys: showKeys(keys) } }
      },
    },
  }
}

function prepareAccount({ before, after }: Change, { nowMs }: RequestContext): Draft {
  const keys = before ? keysOf(before) : [newKey(nowMs), newKey(nowMs)]
  const [first, second] = keys
  return {
    ...after,
    properties: {
      supportsHttpsTrafficOnly: true,
      networkAcls: { bypass: 'AzureServices', virtualNetworkRules: [], ipRules: [], defaultAction: 'Allow' },
      ...after.properties,
      creationTime: before?.properties['creationTime'] ?? formatArmTime(nowMs),
      keyCreationTime: {
        key1: formatArmTime(first?.createdMs ?? nowMs),
        key2: formatArmTime(second?.createdMs ?? nowMs),
      },
      primaryLocation: after.location,
      statusOfPrimary: 'available',
    },
    envelope: {
      ...after.envelope,
      sku: withTier(after.envelope['sku']),
      [factsMember]: formatKeys(keys),
    },
  }
}

function withTier(sku: Json | undefined): JsonObject {
  const name = isJsonObject(sku) && typeof sku['name'] === 'string' ? sku['name'] : 'Standard_LRS'
  return { name, tier: name.startsWith('Premium') ? 'Premium' : 'Standard' }
}

/** Path style: a host name for each account would need a name server that knows them. */
function endpoints({ name }: Resource, baseUrl: string): JsonObject {
  return { primaryEndpoints: { blob: `${baseUrl}/blob/${name.toLowerCase()}/` } }
}

function newKey(createdMs: number): AccountKey {
  return { value: Buffer.from(randomBytes(keyBytes)).toString('base64'), createdMs }
}

function formatKeys(keys: readonly AccountKey[]): JsonObject {
  return { keys: keys.map((key) => ({ ...key })) }
}

function keysOf(account: Pick<Resource, 'envelope'>): readonly AccountKey[] {
  const facts = account.envelope[factsMember]
  // Written by `formatKeys` and by nobody else.
  return isJsonObject(facts) && Array.isArray(facts['keys']) ? facts['keys'] : []
}

function showKeys(keys: readonly AccountKey[]): Json {
  return keys.map(({ value, createdMs }, index) => ({
    keyName: `key${index + 1}`,
    value,
    permissions: 'FULL',
    creationTime: formatArmTime(createdMs),
  }))
}

async function findByName(db: DbOrTx, name: string, exceptKey?: string): Promise<Resource | undefined> {
  const all = await listResourcesOfType(db, storageAccountType)
  return all.find((one) => one.name.toLowerCase() === name.toLowerCase() && one.key !== exceptKey)
}

/** The account of a name, for the data plane. */
export async function findStorageAccount(db: DbOrTx, name: string): Promise<StorageAccount | undefined> {
  const found = await findByName(db, name)
  if (!found || found.provisioningState === 'Deleting') return undefined
  const { sku, kind } = found.envelope
  const allowsKeys = found.properties['allowSharedKeyAccess'] !== false
  return {
    id: found.id,
    name: found.name.toLowerCase(),
    subscriptionId: found.subscriptionId,
    keys: allowsKeys ? keysOf(found).map(({ value }) => value) : [],
    skuName: isJsonObject(sku) && typeof sku['name'] === 'string' ? sku['name'] : 'Standard_LRS',
    kind: typeof kind === 'string' ? kind : 'StorageV2',
  }
}

/** POST checkNameAvailability: is the name well-formed, and free? */
async function checkAccountName(db: DbOrTx, name: string): Promise<JsonObject> {
  const problem = storageAccountNameRule.check(name)
  if (problem) return { nameAvailable: false, reason: 'AccountNameInvalid', message: problem.message }
  if (!(await findByName(db, name))) return { nameAvailable: true }
  const { message } = storageProblems.StorageAccountAlreadyTaken({ name })
  return { nameAvailable: false, reason: 'AlreadyExists', message }
}

/** What clients ask of the provider as a whole. */
export function storageQuestions(db: DbOrTx): readonly ProviderQuestion[] {
  return [
    {
      type: 'Microsoft.Storage/checkNameAvailability',
      apiVersions: storageApiVersions,
      permission: 'Microsoft.Storage/checknameavailability/read',
      answer: ({ name }) => checkAccountName(db, typeof name === 'string' ? name : ''),
    },
  ]
}

/**
 * The account that a host of Azure's form (`account.blob.suffix`) means here; undefined where the suffix is none of
 * `suffixes` or the account is not this server's.
 */
export async function findAccountOfHost(
  db: DbOrTx,
  host: string,
  suffixes: readonly string[],
): Promise<string | undefined> {
  const [, name = '', suffix = ''] = /^([a-z0-9]{3,24})\.blob\.([a-z0-9.-]+)$/i.exec(host) ?? []
  if (!suffixes.some((known) => known.toLowerCase() === suffix.toLowerCase())) return undefined
  return (await findStorageAccount(db, name))?.name
}
