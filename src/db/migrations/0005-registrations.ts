import type { Migration } from '../migration.rows.ts'

/** Which providers and preview features a subscription has registered. */
export const registrations: Migration = {
  name: '0005-registrations',
  async up(tx) {
    await tx.schema
      .createTable('registration')
      .addColumn('subscription_id', 'text', (c) => c.notNull())
      .addColumn('name_key', 'text', (c) => c.notNull())
      .addColumn('is_wanted', 'integer', (c) => c.notNull())
      .addColumn('changed_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('registration_key', ['subscription_id', 'name_key'])
      .execute()
  },
}
