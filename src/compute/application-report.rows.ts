import type { Db, DbOrTx } from '../db/tables.ts'
import type { ApplicationReport } from './application-reports.ts'

/** Keeps what a guest said last of an application; a removal that went well leaves nothing to tell. */
export async function putReport(db: DbOrTx, vmId: string, report: ApplicationReport, nowMs: number): Promise<void> {
  const { name, action, outcome, exitCode, version, output } = report
  if (action === 'remove' && outcome === 'done') {
    const mine = db.deleteFrom('application_report').where('vm_id', '=', vmId).where('application', '=', name)
    await mine.execute()
    return
  }
  const said = { version, action, outcome, exit_code: exitCode ?? null, output, reported_ms: nowMs }
  await db
    .insertInto('application_report')
    .values({ vm_id: vmId, application: name, ...said })
    .onConflict((conflict) => conflict.columns(['vm_id', 'application']).doUpdateSet(said))
    .execute()
}

export async function listReports(db: Db, vmId: string): Promise<readonly ApplicationReport[]> {
  const rows = await db.selectFrom('application_report').selectAll().where('vm_id', '=', vmId).execute()
  return rows.map(({ application: name, version, action, outcome, exit_code, output }) => ({
    name,
    version,
    // Only `putReport` writes them.
    action: action as ApplicationReport['action'],
    outcome: outcome as ApplicationReport['outcome'],
    exitCode: exit_code ?? undefined,
    output,
  }))
}

export async function deleteReports(db: DbOrTx, vmId: string): Promise<void> {
  await db.deleteFrom('application_report').where('vm_id', '=', vmId).execute()
}
