import type { Migration } from '../migration.rows.ts'

/** Who did what to what: rows are only added, and forgotten by age. */
export const activity: Migration = {
  name: '0005-activity',
  async up(tx) {
    await tx.schema
      .createTable('activity_event')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('timestamp_ms', 'bigint', (c) => c.notNull())
      .addColumn('tenant_id', 'text', (c) => c.notNull())
      .addColumn('subscription_id', 'text', (c) => c.notNull())
      .addColumn('resource_group', 'text', (c) => c.notNull())
      .addColumn('resource_key', 'text', (c) => c.notNull())
      .addColumn('provider', 'text', (c) => c.notNull())
      .addColumn('caller', 'text', (c) => c.notNull())
      .addColumn('correlation_id', 'text', (c) => c.notNull())
      .addColumn('operation_id', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('facts', 'text', (c) => c.notNull())
      .execute()
    const index = (
      name: string,
      columns: ('subscription_id' | 'resource_group' | 'correlation_id' | 'operation_id' | 'timestamp_ms' | 'id')[],
    ) => tx.schema.createIndex(name).on('activity_event').columns(columns).execute()
    await index('activity_by_subscription', ['subscription_id', 'timestamp_ms', 'id'])
    await index('activity_by_group', ['subscription_id', 'resource_group', 'timestamp_ms', 'id'])
    await index('activity_by_correlation', ['correlation_id'])
    await index('activity_by_operation', ['operation_id'])
    await index('activity_by_age', ['timestamp_ms'])
  },
}
