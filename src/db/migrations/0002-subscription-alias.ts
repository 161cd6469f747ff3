import type { Migration } from '../migration.rows.ts'

/** The names under which subscriptions were asked for: asking again by the same name answers the same one. */
export const subscriptionAlias: Migration = {
  name: '0002-subscription-alias',
  async up(tx) {
    await tx.schema
      .createTable('subscription_alias')
      .addColumn('tenant_id', 'text', (c) => c.notNull())
      .addColumn('name_key', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('subscription_id', 'text', (c) => c.notNull())
      .addColumn('workload', 'text', (c) => c.notNull())
      .addColumn('created_ms', 'bigint', (c) => c.notNull())
      .addColumn('created_by', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('subscription_alias_pk', ['tenant_id', 'name_key'])
      .execute()
  },
}
