import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { diskEncryptionSetType, type DiskEncryptionSetProperties } from '../contract/disk-encryption-sets.ts'
import type { Db, DbOrTx } from '../db/tables.ts'
import type { Behaviour, Change } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import type { Workflow } from '../work/workflow.ts'
import type { DataKeys } from './data-keys.ts'
import { keyNameOf } from './key-address.ts'
import { keyProblems } from './problems.ts'

export interface KeyDependencies {
  readonly db: Db
  readonly dataKeys: DataKeys
  /** Host names of key vaults that the key folder stands for. */
  readonly keyVaults: readonly string[]
  /** Says what the set encrypts, as a message names it; undefined: nothing. */
  readonly findUser: (db: DbOrTx, set: Resource, vault: string) => Promise<string | undefined>
}

/** Kept beside what a client is shown. */
const factsMember = 'x-goldleaf'

/** A set whose key encrypts what names it. */
export interface DiskEncryptionSet {
  readonly id: string
  readonly location: string
  readonly subscriptionId: string
  readonly isUsable: boolean
  /** Names its data key to the store; drawn anew for each set that is made. */
  readonly vault: string
}

export async function findDiskEncryptionSet(db: DbOrTx, id: string): Promise<DiskEncryptionSet | undefined> {
  const set = await findResource(db, id.toLowerCase())
  if (!set || set.type !== diskEncryptionSetType) return undefined
  const { location, subscriptionId, provisioningState } = set
  const isUsable = provisioningState === 'Succeeded' || provisioningState === 'Updating'
  return { id: set.id, location, subscriptionId, isUsable, vault: vaultOf(set) }
}

function vaultOf({ envelope }: Pick<Resource, 'envelope'>): string {
  const facts = envelope[factsMember]
  return isJsonObject(facts) && typeof facts['vault'] === 'string' ? facts['vault'] : ''
}

function propertiesOf({ properties }: Pick<Draft, 'properties'>): DiskEncryptionSetProperties {
  return properties as DiskEncryptionSetProperties
}

/** What `diskEncryptionSets` mean: a data key that the named key wraps. */
export function diskEncryptionSetsBehaviour(deps: KeyDependencies): Behaviour {
  return {
    type: diskEncryptionSetType,
    prepare: async (change, { nowMs }) => completeSet(change, nowMs),
    async check({ after }) {
      const { encryptionType, activeKey, rotationToLatestKeyVersionEnabled } = propertiesOf(after)
      const type = encryptionType ?? 'EncryptionAtRestWithCustomerKey'
      if (type !== 'EncryptionAtRestWithCustomerKey')
        throw keyProblems.EncryptionTypeNotSupported({ type }, { target: 'diskEncryptionSet.encryptionType' })
      if (rotationToLatestKeyVersionEnabled === true)
        throw keyProblems.RotationNotSupported({}, { target: 'diskEncryptionSet.rotationToLatestKeyVersionEnabled' })
      keyNameOf(activeKey?.keyUrl ?? '', deps.keyVaults)
    },
    write: async () => ({ workflow: 'write-disk-encryption-set', input: {} }),
    checkRemove: (set) => checkUnused(deps.db, set, deps),
    commitRemove: (tx, set) => checkUnused(tx, set, deps),
    remove: async (set) => ({ workflow: 'delete-disk-encryption-set', input: { vault: vaultOf(set) } }),
  }
}

function completeSet({ before, after }: Change, nowMs: number): Draft {
  const vault = (before && vaultOf(before)) ?? randomUuid().replaceAll('-', '')
  const wasUrl = before && propertiesOf(before).activeKey?.keyUrl
  const isRotated = wasUrl !== propertiesOf(after).activeKey?.keyUrl
  return {
    ...after,
    properties: {
      ...after.properties,
      encryptionType: propertiesOf(after).encryptionType ?? 'EncryptionAtRestWithCustomerKey',
      // What is wrapped is one small key: a rotation is over as soon as it was written.
      previousKeys: [],
      ...(isRotated ? { lastKeyRotationTimestamp: formatArmTime(nowMs) } : {}),
    },
    envelope: { ...after.envelope, [factsMember]: { vault } },
  }
}

async function checkUnused(db: DbOrTx, set: Resource, deps: KeyDependencies): Promise<void> {
  const user = await deps.findUser(db, set, vaultOf(set))
  if (user !== undefined) throw keyProblems.DiskEncryptionSetInUse({ name: set.name, user })
}

/** The work behind disk encryption sets. Every step may run twice. */
export function keyWorkflows(deps: KeyDependencies): Workflow[] {
  const remove: Workflow<JsonObject & { readonly vault: string }> = {
    name: 'delete-disk-encryption-set',
    steps: [{ name: 'drop-key', run: ({ input }) => deps.dataKeys.drop(input.vault) }],
  }
  return [
    {
      name: 'write-disk-encryption-set',
      steps: [
        {
          name: 'wrap-key',
          async run({ resourceKey }) {
            const set = await findResource(deps.db, resourceKey)
            const keyUrl = set && propertiesOf(set).activeKey?.keyUrl
            if (set && keyUrl !== undefined) await deps.dataKeys.put(vaultOf(set), keyNameOf(keyUrl, deps.keyVaults))
          },
        },
      ],
    },
    remove,
  ]
}
