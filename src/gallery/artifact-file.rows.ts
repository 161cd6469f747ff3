import type { DbOrTx } from '../db/tables.ts'

/** True sizes of the files in application and script versions: stores keep whole sectors. */
export async function putArtifactFile(db: DbOrTx, versionKey: string, file: number, sizeBytes: number): Promise<void> {
  await db
    .insertInto('artifact_file')
    .values({ version_key: versionKey, file, size_bytes: sizeBytes })
    .onConflict((conflict) => conflict.columns(['version_key', 'file']).doUpdateSet({ size_bytes: sizeBytes }))
    .execute()
}

/** Size by number of the file. */
export async function listArtifactFiles(db: DbOrTx, versionKey: string): Promise<ReadonlyMap<number, number>> {
  const rows = await db.selectFrom('artifact_file').selectAll().where('version_key', '=', versionKey).execute()
  return new Map(rows.map((row) => [row.file, row.size_bytes]))
}

export async function deleteArtifactFiles(tx: DbOrTx, versionKey: string): Promise<void> {
  await tx.deleteFrom('artifact_file').where('version_key', '=', versionKey).execute()
}
