import type { Migration } from '../migration.rows.ts'

/** Whose each sign-in is, so that a new password ends them. Those from before say it only sealed: people sign in again. */
export const signInAccounts: Migration = {
  name: '0010-sign-in-accounts',
  async up(tx) {
    await tx.deleteFrom('sign_in_state').where('kind', '!=', 'UsedAssertion').execute()
    await tx.schema.alterTable('sign_in_state').addColumn('account_hash', 'text').execute()
    await tx.schema.createIndex('sign_in_state_by_account').on('sign_in_state').column('account_hash').execute()
  },
}
