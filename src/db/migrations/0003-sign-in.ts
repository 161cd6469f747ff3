import type { Migration } from '../migration.rows.ts'

/** What signing in remembers: codes, device codes, refresh tokens, grants, sessions, used assertions. */
export const signIn: Migration = {
  name: '0003-sign-in',
  async up(tx) {
    await tx.schema
      .createTable('sign_in_state')
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('id_hash', 'text', (c) => c.notNull())
      .addColumn('grant_hash', 'text')
      .addColumn('uid_hash', 'text')
      .addColumn('user_code_hash', 'text')
      .addColumn('payload', 'text', (c) => c.notNull())
      .addColumn('consumed_ms', 'bigint')
      .addColumn('expires_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('sign_in_state_key', ['kind', 'id_hash'])
      .execute()
    for (const column of ['grant_hash', 'uid_hash', 'user_code_hash', 'expires_ms'])
      await tx.schema.createIndex(`sign_in_state_by_${column}`).on('sign_in_state').column(column).execute()
  },
}
