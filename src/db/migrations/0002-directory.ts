import type { Migration } from '../migration.rows.ts'

/** Tenants, and who exists in them. */
export const directory: Migration = {
  name: '0002-directory',
  async up(tx) {
    await tx.schema
      .createTable('tenant')
      .addColumn('tenant_id', 'text', (c) => c.primaryKey())
      .addColumn('display_name', 'text', (c) => c.notNull())
      .addColumn('default_domain', 'text', (c) => c.notNull().unique())
      .addColumn('created_ms', 'bigint', (c) => c.notNull())
      .execute()
    await tx.schema
      .createTable('directory_object')
      .addColumn('tenant_id', 'text', (c) => c.notNull())
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('name_key', 'text', (c) => c.notNull())
      .addColumn('app_id', 'text')
      .addColumn('unique_key', 'text', (c) => c.notNull().unique())
      .addColumn('home_tenant_id', 'text')
      .addColumn('home_object_id', 'text')
      .addColumn('body', 'text', (c) => c.notNull())
      .addColumn('created_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('directory_object_pk', ['tenant_id', 'object_id'])
      .execute()
    const index = (name: string, columns: ('tenant_id' | 'kind' | 'object_id' | 'name_key' | 'app_id')[]) =>
      tx.schema.createIndex(name).on('directory_object').columns(columns).execute()
    await index('directory_object_by_kind', ['tenant_id', 'kind', 'object_id'])
    await index('directory_object_by_name', ['tenant_id', 'kind', 'name_key'])
    await index('directory_object_by_app', ['app_id', 'kind'])
    await tx.schema
      .createIndex('directory_object_by_home')
      .on('directory_object')
      .columns(['home_object_id', 'home_tenant_id', 'tenant_id'])
      .execute()
    await tx.schema
      .createTable('directory_link')
      .addColumn('tenant_id', 'text', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('of_id', 'text', (c) => c.notNull())
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('directory_link_pk', ['tenant_id', 'kind', 'of_id', 'object_id'])
      .execute()
    await tx.schema
      .createIndex('directory_link_by_object')
      .on('directory_link')
      .columns(['tenant_id', 'kind', 'object_id'])
      .execute()
    await tx.schema
      .createTable('directory_secret')
      .addColumn('tenant_id', 'text', (c) => c.notNull())
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addColumn('key_id', 'text', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .addColumn('start_ms', 'bigint', (c) => c.notNull())
      .addColumn('end_ms', 'bigint')
      .addPrimaryKeyConstraint('directory_secret_pk', ['tenant_id', 'object_id', 'key_id'])
      .execute()
  },
}
