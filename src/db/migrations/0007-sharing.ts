import type { Migration } from '../migration.rows.ts'

/** Where a gallery is published for others, and what they answered. */
export const sharing: Migration = {
  name: '0007-sharing',
  async up(tx) {
    await tx.schema
      .createTable('gallery_share')
      .addColumn('gallery_key', 'text', (c) => c.notNull())
      .addColumn('region', 'text', (c) => c.notNull())
      .addColumn('grantee', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('gallery_share_key', ['gallery_key', 'region', 'grantee'])
      .execute()
    await tx.schema.createIndex('gallery_share_by_grantee').on('gallery_share').columns(['grantee', 'region']).execute()
    await tx.schema
      .createTable('gallery_invite')
      .addColumn('grantee', 'text', (c) => c.notNull())
      .addColumn('gallery_key', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('decided_by', 'text', (c) => c.notNull())
      .addColumn('decided_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('gallery_invite_key', ['grantee', 'gallery_key'])
      .execute()
  },
}
