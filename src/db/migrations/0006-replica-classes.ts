import { sql } from 'kysely'
import type { Migration } from '../migration.rows.ts'
import type { Tx } from '../tables.ts'

/**
 * A disk of a version may stand in several storage classes of one region (additionalReplicaSets): the class becomes part
 * of the key. SQLite cannot change a primary key in place, so the rows move to a new table.
 */
export const replicaClasses: Migration = {
  name: '0006-replica-classes',
  async up(tx) {
    await tx.schema.dropIndex('replica_by_store').execute()
    await tx.schema.alterTable('replica').renameTo('replica_before_0006').execute()
    await createReplicas(tx)
    await sql`insert into replica select * from replica_before_0006`.execute(tx)
    await tx.schema.dropTable('replica_before_0006').execute()
  },
}

/** The columns of 0001, in its order. */
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
    .addPrimaryKeyConstraint('replica_place_pk', ['version_key', 'lun', 'region', 'storage_class'])
    .execute()
  await tx.schema.createIndex('replica_by_store').on('replica').columns(['region', 'storage_class', 'root']).execute()
}
