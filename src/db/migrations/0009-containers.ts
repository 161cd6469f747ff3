import type { Migration } from '../migration.rows.ts'

/** Containers of storage accounts; blobs are rows of `upload`. */
export const containers: Migration = {
  name: '0009-containers',
  async up(tx) {
    await tx.schema
      .createTable('container')
      .addColumn('account', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('metadata', 'text', (c) => c.notNull())
      .addColumn('etag', 'text', (c) => c.notNull())
      .addColumn('changed_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('container_pk', ['account', 'name'])
      .execute()
  },
}
