import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../db/open.ts'
import type { Directory } from '../directory/directory.ts'
import { openDirectory } from '../directory/open-directory.ts'
import type { DirectoryRoom } from '../directory/room.ts'
import { ensureInstallation } from '../directory/tenants.ts'
import { openInstallation } from './installation.ts'
import { openSignInState, registerIdentity } from './routes.ts'

/** An installation in a folder of its own, with a directory and the routes of sign-in. */
export async function openIdentity(clock: Clock, changes: Partial<Directory> = {}) {
  const data = await mkdtemp(join(tmpdir(), 'goldleaf-identity-'))
  const home = await openInstallation(data)
  const database = await openDatabase({ path: ':memory:', clock })
  const { db } = database
  const { tenantId, objectId, clientId: appId } = home
  const room: DirectoryRoom = {
    db,
    clock,
    operator: { tenantId, objectId, appId, isSecret: (secret) => home.isClientSecret(secret) },
    onDeleted: async () => {},
    onPasswordChanged: (tx, user) => openSignInState({ installation: home, db, clock }).revokePerson(tx, user),
    onOperatorAdmitted: async () => {},
  }
  await ensureInstallation(room)
  const directory: Directory = { ...openDirectory(room), ...changes }
  const register = (app: FastifyInstance): void =>
    registerIdentity(app, {
      installation: home,
      directory,
      db,
      logger: silentLogger,
      clock,
      baseUrlOf: (request) => `${request.protocol}://${request.headers.host}`,
    })
  return {
    data,
    home,
    db,
    room,
    directory,
    secret: (await readFile(home.clientSecretFile, 'utf8')).trim(),
    register,
    /** A fresh app: what is counted per peer begins anew. */
    createApp(): FastifyInstance {
      const app = fastify({ routerOptions: { ignoreDuplicateSlashes: true, caseSensitive: false } })
      register(app)
      return app
    },
    async [Symbol.asyncDispose]() {
      await database.close()
      await rm(data, { recursive: true })
    },
  }
}

export type TestIdentity = Awaited<ReturnType<typeof openIdentity>>
