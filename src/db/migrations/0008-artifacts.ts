import type { Migration } from '../migration.rows.ts'

/** The recycle bin of galleries, and the sizes of files in application and script versions. */
export const artifacts: Migration = {
  name: '0008-artifacts',
  async up(tx) {
    await tx.schema
      .createTable('soft_deleted')
      .addColumn('version_key', 'text', (c) => c.primaryKey())
      .addColumn('definition_key', 'text', (c) => c.notNull())
      .addColumn('gallery_key', 'text', (c) => c.notNull())
      .addColumn('resource', 'text', (c) => c.notNull())
      .addColumn('deleted_ms', 'bigint', (c) => c.notNull())
      .addColumn('deleted_by', 'text', (c) => c.notNull())
      .addColumn('consumption_end_ms', 'bigint', (c) => c.notNull())
      .addColumn('hard_delete_ms', 'bigint', (c) => c.notNull())
      .execute()
    await tx.schema
      .createIndex('soft_deleted_by_definition')
      .on('soft_deleted')
      .columns(['definition_key', 'version_key'])
      .execute()
    await tx.schema.createIndex('soft_deleted_by_gallery').on('soft_deleted').column('gallery_key').execute()
    await tx.schema.createIndex('soft_deleted_by_end').on('soft_deleted').column('hard_delete_ms').execute()
    await tx.schema
      .createTable('artifact_file')
      .addColumn('version_key', 'text', (c) => c.notNull())
      .addColumn('file', 'integer', (c) => c.notNull())
      .addColumn('size_bytes', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('artifact_file_pk', ['version_key', 'file'])
      .execute()
  },
}
