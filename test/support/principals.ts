import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { randomUuid } from '../../src/base/random.ts'
import { openDatabase } from '../../src/db/open.ts'
import { addMember, createGroup } from '../../src/directory/groups.ts'
import type { DirectoryRoom } from '../../src/directory/room.ts'
import { createTenant } from '../../src/directory/tenants.ts'
import { createUser } from '../../src/directory/users.ts'
import { openInstallation } from '../../src/identity/installation.ts'
import { armAudience, createTokenSigner } from '../../src/identity/token.ts'
import { insertSubscription } from '../../src/resources/subscription.rows.ts'
import { armCaller } from './goldleaf.ts'
import type { RunningGoldleaf } from './goldleaf.ts'

/** A user of a tenant with a token of its own, beside a running server: made in its database, signed with its key. */
export interface TestUser {
  readonly objectId: string
  readonly name: string
  readonly token: string
  readonly arm: ReturnType<typeof armCaller>
}

/** Tenants, subscriptions, users and groups for tests of rights; close it before the server ends. */
export async function openPrincipals(server: Pick<RunningGoldleaf, 'data' | 'env'>) {
  const installation = await openInstallation(server.data)
  const database = await openDatabase({ path: join(server.data, 'goldleaf.db') })
  const { db } = database
  const signer = createTokenSigner(installation, systemClock)
  const room: DirectoryRoom = {
    db,
    clock: systemClock,
    operator: {
      tenantId: installation.tenantId,
      objectId: installation.objectId,
      appId: installation.clientId,
      isSecret: () => false,
    },
    onDeleted: async () => {},
    onPasswordChanged: async () => {},
    onOperatorAdmitted: async () => {},
  }
  const home = installation.tenantId
  const tokenOf = async (tenantId: string, objectId: string, upn?: string): Promise<string> => {
    const subject = { tenantId, objectId, appId: installation.clientId, kind: 'user', upn } as const
    return (await signer.sign(subject, armAudience)).token
  }
  return {
    home,
    room,
    tokenOf,
    async user(label: string, tenantId = home, domain?: string): Promise<TestUser> {
      const found = await db
        .selectFrom('tenant')
        .select('default_domain')
        .where('tenant_id', '=', tenantId)
        .executeTakeFirstOrThrow()
      const name = `${label}@${domain ?? found.default_domain}`
      const { objectId } = await createUser(room, tenantId, {
        userPrincipalName: name,
        displayName: label,
        mailNickname: label,
        password: `Pass-${randomUuid()}`,
      })
      const token = await tokenOf(tenantId, objectId, name)
      return { objectId, name, token, arm: armCaller({ env: server.env, token }) }
    },
    /** Answers its object id. */
    async group(displayName: string, members: readonly string[], tenantId = home): Promise<string> {
      const group = await createGroup(room, tenantId, { displayName, mailNickname: displayName })
      for (const member of members) await addMember(room, tenantId, group.objectId, member)
      return group.objectId
    },
    /** Answers its id. */
    async tenant(displayName: string): Promise<string> {
      return (await createTenant(room, { displayName })).tenantId
    },
    /** Answers `/subscriptions/{id}`. */
    async subscription(displayName: string, tenantId = home): Promise<string> {
      const subscriptionId = randomUuid()
      await insertSubscription(db, { subscriptionId, tenantId, displayName, state: 'Enabled' })
      return `/subscriptions/${subscriptionId}`
    },
    db,
    [Symbol.asyncDispose]: () => database.close(),
  }
}

export type Principals = Awaited<ReturnType<typeof openPrincipals>>
