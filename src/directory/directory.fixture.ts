import { openDatabase } from '../db/open.ts'
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { openDirectory } from './open-directory.ts'
import type { DirectoryRoom } from './room.ts'
import { ensureInstallation } from './tenants.ts'

export const operator = {
  tenantId: '11111111-1111-4111-8111-111111111111',
  objectId: '22222222-2222-4222-8222-222222222222',
  appId: '33333333-3333-4333-8333-333333333333',
  isSecret: (secret: string) => secret === 'the operator',
}

/** A directory in memory with the installation's tenant; `deleted` is what the rooms of rights would be told. */
export async function memoryDirectory(clock: Clock = systemClock) {
  const database = await openDatabase({ path: ':memory:', clock })
  const deleted: string[] = []
  const room: DirectoryRoom = {
    db: database.db,
    clock,
    operator,
    onDeleted: async (_tx, _tenantId, objectIds) => void deleted.push(...objectIds),
    onPasswordChanged: async () => {},
    onOperatorAdmitted: async () => {},
  }
  await ensureInstallation(room)
  return { room, directory: openDirectory(room), deleted, [Symbol.asyncDispose]: () => database.close() }
}
