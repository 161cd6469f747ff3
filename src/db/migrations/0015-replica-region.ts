import type { Migration } from '../migration.rows.ts'

/** What a region can give of a gallery is asked at every look at what is shared: without reading its other regions. */
export const replicaRegion: Migration = {
  name: '0015-replica-region',
  async up(tx) {
    await tx.schema.createIndex('replica_by_region').on('replica').columns(['region', 'version_key']).execute()
  },
}
