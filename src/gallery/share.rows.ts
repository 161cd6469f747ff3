import type { DbOrTx } from '../db/tables.ts'
import type { Grantee } from './sharing-rules.ts'

/** Which galleries are published to whom in which region, and what the receivers answered. */

export interface Share {
  readonly galleryKey: string
  readonly region: string
  readonly grantee: string
}

export async function listShares(db: DbOrTx, galleryKey: string): Promise<Share[]> {
  const rows = await db.selectFrom('gallery_share').selectAll().where('gallery_key', '=', galleryKey).execute()
  return rows.map((row) => ({ galleryKey: row.gallery_key, region: row.region, grantee: row.grantee }))
}

/** Makes a region's rows of a gallery exactly these. Call it in a transaction. */
export async function syncShares(
  tx: DbOrTx,
  galleryKey: string,
  region: string,
  grantees: readonly Grantee[],
): Promise<void> {
  await tx.deleteFrom('gallery_share').where('gallery_key', '=', galleryKey).where('region', '=', region).execute()
  if (grantees.length === 0) return
  await tx
    .insertInto('gallery_share')
    .values(grantees.map((grantee) => ({ gallery_key: galleryKey, region, grantee })))
    .execute()
}

/** Galleries that are published to one of these in a region, and that none of them rejected. */
export async function listSharedKeys(db: DbOrTx, grantees: readonly Grantee[], region: string): Promise<Share[]> {
  const rows = await db
    .selectFrom('gallery_share')
    .leftJoin('gallery_invite', (join) =>
      join
        .onRef('gallery_invite.grantee', '=', 'gallery_share.grantee')
        .onRef('gallery_invite.gallery_key', '=', 'gallery_share.gallery_key')
        .on('gallery_invite.state', '=', 'rejected'),
    )
    .selectAll('gallery_share')
    .where('gallery_share.grantee', 'in', [...grantees])
    .where('gallery_share.region', '=', region)
    .where('gallery_invite.state', 'is', null)
    .orderBy('gallery_share.gallery_key')
    .execute()
  return rows.map((row) => ({ galleryKey: row.gallery_key, region: row.region, grantee: row.grantee }))
}

/** Whether a gallery is published to this grantee in a region, whatever the grantee answered. */
export async function isShared(db: DbOrTx, share: Share): Promise<boolean> {
  const row = await db
    .selectFrom('gallery_share')
    .select('grantee')
    .where('gallery_key', '=', share.galleryKey)
    .where('region', '=', share.region)
    .where('grantee', '=', share.grantee)
    .executeTakeFirst()
  return row !== undefined
}

export interface Answer {
  readonly grantee: Grantee
  readonly galleryKey: string
  readonly state: 'accepted' | 'rejected'
  readonly decidedBy: string
  readonly decidedMs: number
}

/** The last answer counts. */
export async function putAnswer(db: DbOrTx, answer: Answer): Promise<void> {
  const decision = { state: answer.state, decided_by: answer.decidedBy, decided_ms: answer.decidedMs }
  await db
    .insertInto('gallery_invite')
    .values({ grantee: answer.grantee, gallery_key: answer.galleryKey, ...decision })
    .onConflict((conflict) => conflict.columns(['grantee', 'gallery_key']).doUpdateSet(decision))
    .execute()
}

/** Public galleries: every gallery that is published to the community in some region. */
export async function listCommunityShares(db: DbOrTx): Promise<Share[]> {
  const rows = await db
    .selectFrom('gallery_share')
    .selectAll()
    .where('grantee', '>=', 'community:')
    .where('grantee', '<', 'community;')
    .orderBy('gallery_key')
    .orderBy('region')
    .execute()
  return rows.map((row) => ({ galleryKey: row.gallery_key, region: row.region, grantee: row.grantee }))
}

/** Nothing of a gallery's sharing stays when the gallery goes. */
export async function deleteSharing(tx: DbOrTx, galleryKey: string): Promise<void> {
  await tx.deleteFrom('gallery_share').where('gallery_key', '=', galleryKey).execute()
  await tx.deleteFrom('gallery_invite').where('gallery_key', '=', galleryKey).execute()
}
