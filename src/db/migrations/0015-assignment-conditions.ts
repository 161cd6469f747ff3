import type { Migration } from '../migration.rows.ts'

/** A role assignment may say when it counts. */
export const assignmentConditions: Migration = {
  name: '0015-assignment-conditions',
  async up(tx) {
    await tx.schema.alterTable('role_assignment').addColumn('condition', 'text').execute()
  },
}
