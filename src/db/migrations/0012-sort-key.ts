import { sortKeyOf } from '../../base/natural-order.ts'
import type { Migration } from '../migration.rows.ts'

const pageSize = 500

/** Children are listed in the order of their names, numbers as numbers: the database keeps that order. */
export const sortKey: Migration = {
  name: '0012-sort-key',
  async up(tx) {
    await tx.schema
      .alterTable('resource')
      .addColumn('sort_key', 'text', (c) => c.notNull().defaultTo(''))
      .execute()
    for (let after = ''; ;) {
      const rows = await tx
        .selectFrom('resource')
        .select(['key', 'name'])
        .where('key', '>', after)
        .orderBy('key')
        .limit(pageSize)
        .execute()
      for (const { key, name } of rows)
        await tx
          .updateTable('resource')
          .set({ sort_key: sortKeyOf(name) })
          .where('key', '=', key)
          .execute()
      after = rows.at(-1)?.key ?? ''
      if (rows.length < pageSize) break
    }
    await tx.schema
      .createIndex('resource_by_parent_order')
      .on('resource')
      .columns(['parent_key', 'type', 'sort_key'])
      .execute()
  },
}
