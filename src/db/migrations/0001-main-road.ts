import type { Migration } from '../migration.rows.ts'
import type { Tx } from '../tables.ts'

/** Resources, operations, replicas, uploads, and the facts of the installation. */
export const mainRoad: Migration = {
  name: '0001-main-road',
  async up(tx) {
    await createSettings(tx)
    await createResources(tx)
    await createOperations(tx)
    await createReplicas(tx)
    await createUploads(tx)
  },
}

async function createSettings(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('setting')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
  await tx.schema
    .createTable('subscription')
    .addColumn('subscription_id', 'text', (c) => c.primaryKey())
    .addColumn('tenant_id', 'text', (c) => c.notNull())
    .addColumn('display_name', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .execute()
}

/** Every index ends in `key`: lists are paged by it. */
async function createResources(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('resource')
    .addColumn('key', 'text', (c) => c.primaryKey())
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('parent_key', 'text', (c) => c.notNull())
    .addColumn('subscription_id', 'text', (c) => c.notNull())
    .addColumn('resource_group_key', 'text', (c) => c.notNull())
    .addColumn('location', 'text', (c) => c.notNull())
    .addColumn('properties', 'text', (c) => c.notNull())
    .addColumn('envelope', 'text', (c) => c.notNull())
    .addColumn('tags', 'text')
    .addColumn('provisioning_state', 'text', (c) => c.notNull())
    .addColumn('etag', 'text', (c) => c.notNull())
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('changed_ms', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('changed_by', 'text', (c) => c.notNull())
    .addColumn('operation_id', 'text')
    .execute()
  const index = (name: string, columns: ('parent_key' | 'subscription_id' | 'resource_group_key' | 'type' | 'key')[]) =>
    tx.schema.createIndex(name).on('resource').columns(columns).execute()
  await index('resource_by_parent', ['parent_key', 'type', 'key'])
  await index('resource_by_subscription', ['subscription_id', 'type', 'key'])
  await index('resource_by_group', ['resource_group_key', 'type', 'key'])
  await index('resource_by_type', ['type', 'key'])
}

async function createOperations(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('operation')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('workflow', 'text', (c) => c.notNull())
    .addColumn('resource_key', 'text', (c) => c.notNull())
    .addColumn('intent', 'text', (c) => c.notNull())
    .addColumn('subscription_id', 'text', (c) => c.notNull())
    .addColumn('location', 'text', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('step', 'integer', (c) => c.notNull())
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('input', 'text', (c) => c.notNull())
    .addColumn('outputs', 'text', (c) => c.notNull())
    .addColumn('progress', 'text', (c) => c.notNull())
    .addColumn('error', 'text')
    .addColumn('result', 'text')
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until_ms', 'bigint', (c) => c.notNull())
    .addColumn('fence', 'integer', (c) => c.notNull())
    .addColumn('due_ms', 'bigint', (c) => c.notNull())
    .addColumn('cancel_requested', 'integer', (c) => c.notNull())
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('ended_ms', 'bigint')
    .execute()
  await tx.schema.createIndex('operation_by_due').on('operation').columns(['state', 'due_ms']).execute()
  await tx.schema.createIndex('operation_by_resource').on('operation').columns(['resource_key', 'state']).execute()
  await tx.schema.createIndex('operation_by_end').on('operation').column('ended_ms').execute()
}

async function createReplicas(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('replica')
    .addColumn('version_key', 'text', (c) => c.notNull())
    .addColumn('lun', 'integer', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('storage_class', 'text', (c) => c.notNull())
    .addColumn('replica_count', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('root', 'text')
    .addColumn('virtual_size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('bytes_total', 'bigint', (c) => c.notNull())
    .addColumn('bytes_done', 'bigint', (c) => c.notNull())
    .addColumn('bytes_read', 'bigint', (c) => c.notNull())
    .addColumn('bytes_new', 'bigint', (c) => c.notNull())
    .addColumn('bytes_sent', 'bigint', (c) => c.notNull())
    .addColumn('bytes_stored', 'bigint', (c) => c.notNull())
    .addColumn('started_ms', 'bigint')
    .addColumn('ended_ms', 'bigint')
    .addColumn('error', 'text')
    // Also the index by version: its first column.
    .addPrimaryKeyConstraint('replica_pk', ['version_key', 'lun', 'region'])
    .execute()
  await tx.schema.createIndex('replica_by_store').on('replica').columns(['region', 'storage_class', 'root']).execute()
}

async function createUploads(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('upload')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('subscription_id', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('root', 'text')
    .addColumn('region', 'text')
    .addColumn('storage_class', 'text')
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('expires_ms', 'bigint')
    .execute()
  await tx.schema.createIndex('upload_by_address').on('upload').columns(['address', 'kind']).execute()
  await tx.schema.createIndex('upload_by_expiry').on('upload').column('expires_ms').execute()
}
