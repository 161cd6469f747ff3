import type { Migration } from '../migration.rows.ts'

/** How guests say that the commands of their applications ended: one row an application, the last that was said. */
export const applicationReports: Migration = {
  name: '0016-application-reports',
  async up(tx) {
    await tx.schema
      .createTable('application_report')
      .addColumn('vm_id', 'text', (c) => c.notNull())
      .addColumn('application', 'text', (c) => c.notNull())
      .addColumn('version', 'text', (c) => c.notNull())
      .addColumn('action', 'text', (c) => c.notNull())
      .addColumn('outcome', 'text', (c) => c.notNull())
      .addColumn('exit_code', 'integer')
      .addColumn('output', 'text', (c) => c.notNull())
      .addColumn('reported_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('application_report_pk', ['vm_id', 'application'])
      .execute()
  },
}
