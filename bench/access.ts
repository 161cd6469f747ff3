// `node bench/access.ts`: what the question "may it?" costs a request in a tenant with 10,000 role assignments: the
// whole of it, with the reads of the database (counter of changes, subscription, groups of the caller). Target: p99 < 1 ms.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccess } from '../src/access/access.ts'
import { builtInRoles, readerRoleId } from '../src/access/built-in-roles.ts'
import { grantRole } from '../src/access/grant.ts'
import { systemClock } from '../src/base/clock.ts'
import { randomUuid } from '../src/base/random.ts'
import { openDatabase } from '../src/db/open.ts'
import { addMember, createGroup } from '../src/directory/groups.ts'
import { openDirectory } from '../src/directory/open-directory.ts'
import { createTenant } from '../src/directory/tenants.ts'
import { createUser } from '../src/directory/users.ts'
import type { CallerFacts } from '../src/resources/behaviour.ts'
import { insertSubscription } from '../src/resources/subscription.rows.ts'

const assignments = 10_000
const questions = 20_000
const read = 'Microsoft.Compute/galleries/images/versions/read'
const folder = mkdtempSync(join(tmpdir(), 'goldleaf-bench-access-'))

function percentile(sorted: readonly number[], part: number): string {
  return `${(sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(3)} ms`
}

async function measure(label: string, ask: (round: number) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < questions; round += 1) {
    const startMs = performance.now()
    await ask(round)
    times.push(performance.now() - startMs)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const [p50, p99, p999] = [percentile(sorted, 0.5), percentile(sorted, 0.99), percentile(sorted, 0.999)]
  process.stdout.write(`${label.padEnd(44)} p50 ${p50}  p99 ${p99}  p99.9 ${p999}\n`)
  return sorted[Math.floor((sorted.length - 1) * 0.99)] ?? Number.NaN
}

try {
  await using database = await openDatabase({ path: join(folder, 'bench.db') })
  const { db } = database
  const operator = { tenantId: randomUuid(), objectId: randomUuid(), appId: randomUuid(), isSecret: () => false }
  const nothing = async (): Promise<void> => {}
  const room = {
    db,
    clock: systemClock,
    operator,
    onDeleted: nothing,
    onPasswordChanged: nothing,
    onOperatorAdmitted: nothing,
  }
  const { tenantId } = await createTenant(room, { displayName: 'Bench', withOperator: false })
  const subscriptionId = randomUuid()
  await insertSubscription(db, { subscriptionId, tenantId, displayName: 'Bench', state: 'Enabled' })
  const user = await createUser(room, tenantId, {
    userPrincipalName: 'alice@bench.goldleaf.local',
    displayName: 'Alice',
    password: `Pass-${randomUuid()}`,
  })
  let member = user.objectId
  for (let depth = 0; depth < 5; depth += 1) {
    const group = await createGroup(room, tenantId, { displayName: `g${depth}`, mailNickname: `g${depth}` })
    await addMember(room, tenantId, group.objectId, member)
    member = group.objectId
  }
  const gallery = (number: number): string =>
    `/subscriptions/${subscriptionId}/resourceGroups/rg${number % 50}/providers/Microsoft.Compute/galleries/g${number}`
  const grant = { tenantId, principalType: 'User', nowMs: 0 } as const
  await db.transaction().execute(async (tx) => {
    for (let number = 0; number < assignments; number += 1) {
      const roleId = builtInRoles[number % builtInRoles.length]?.roleId ?? readerRoleId
      // A tenth of them for the caller's outermost group, the others for other people.
      const principalId = number % 10 === 0 ? member : randomUuid()
      await grantRole(tx, {
        ...grant,
        scope: gallery(number),
        roleId: number % 10 === 0 ? readerRoleId : roleId,
        principalId,
      })
    }
  })
  const access = createAccess({ db, clock: systemClock, directory: openDirectory(room), issuerOf: (id) => id })
  const caller: CallerFacts = {
    objectId: user.objectId,
    tenantId,
    name: user.userPrincipalName,
    kind: 'user',
    appId: randomUuid(),
    roles: [],
  }
  const version = (number: number): string => `${gallery(number)}/images/i/versions/1.0.0`
  const startMs = performance.now()
  await access.authorize(caller, read, version(0))
  process.stdout.write(
    `${assignments} role assignments, the caller in 5 nested groups; the first question, which reads them all: ` +
      `${(performance.now() - startMs).toFixed(0)} ms\n`,
  )
  const allowed = await measure('allowed, by a group of groups', (round) =>
    access.authorize(caller, read, version((round * 10) % assignments)),
  )
  const refused = await measure('refused', (round) =>
    access.authorize(caller, read, version(((round * 10) % assignments) + 1)).catch(() => undefined),
  )
  process.stdout.write(`target: p99 under 1 ms: ${Math.max(allowed, refused) < 1 ? 'met' : 'MISSED'}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
