import type { Migration } from '../migration.rows.ts'
import type { Tx } from '../tables.ts'

/** Who may: role assignments, custom roles, management groups, locks, and the counter that indexes are held against. */
export const access: Migration = {
  name: '0004-access',
  async up(tx) {
    await createAssignments(tx)
    await createRoles(tx)
    await createManagementGroups(tx)
    await createLocks(tx)
    await tx.schema
      .createTable('access_version')
      .addColumn('tenant_id', 'text', (c) => c.primaryKey())
      .addColumn('version', 'bigint', (c) => c.notNull())
      .execute()
  },
}

async function createAssignments(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('role_assignment')
    .addColumn('tenant_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('scope_key', 'text', (c) => c.notNull())
    .addColumn('principal_id', 'text', (c) => c.notNull())
    .addColumn('principal_type', 'text', (c) => c.notNull())
    .addColumn('role_id', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('updated_ms', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('role_assignment_pk', ['tenant_id', 'name'])
    .addUniqueConstraint('role_assignment_once', ['tenant_id', 'scope_key', 'principal_id', 'role_id'])
    .execute()
  await tx.schema.createIndex('role_assignment_by_scope').on('role_assignment').column('scope_key').execute()
  await tx.schema
    .createIndex('role_assignment_by_principal')
    .on('role_assignment')
    .columns(['tenant_id', 'principal_id'])
    .execute()
}

async function createRoles(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('role_definition')
    .addColumn('tenant_id', 'text', (c) => c.notNull())
    .addColumn('role_id', 'text', (c) => c.notNull())
    .addColumn('role_name', 'text', (c) => c.notNull())
    .addColumn('name_key', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('permissions', 'text', (c) => c.notNull())
    .addColumn('assignable_scopes', 'text', (c) => c.notNull())
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('updated_ms', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('role_definition_pk', ['tenant_id', 'role_id'])
    .addUniqueConstraint('role_definition_name', ['tenant_id', 'name_key'])
    .execute()
}

async function createManagementGroups(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('management_group')
    .addColumn('tenant_id', 'text', (c) => c.notNull())
    .addColumn('name_key', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('display_name', 'text', (c) => c.notNull())
    // Null: directly below the tenant's root group, which has no row.
    .addColumn('parent_key', 'text')
    .addColumn('updated_ms', 'bigint', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('management_group_pk', ['tenant_id', 'name_key'])
    .execute()
  await tx.schema
    .createTable('management_group_subscription')
    .addColumn('subscription_id', 'text', (c) => c.primaryKey())
    .addColumn('tenant_id', 'text', (c) => c.notNull())
    .addColumn('group_key', 'text', (c) => c.notNull())
    .execute()
}

async function createLocks(tx: Tx): Promise<void> {
  await tx.schema
    .createTable('management_lock')
    .addColumn('scope_key', 'text', (c) => c.notNull())
    .addColumn('name_key', 'text', (c) => c.notNull())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('level', 'text', (c) => c.notNull())
    .addColumn('notes', 'text')
    .addColumn('created_ms', 'bigint', (c) => c.notNull())
    .addColumn('updated_ms', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('management_lock_pk', ['scope_key', 'name_key'])
    .execute()
}
