import type { Migration } from './migration.rows.ts'
import { mainRoad } from './migrations/0001-main-road.ts'
import { directory } from './migrations/0002-directory.ts'
import { subscriptionAlias } from './migrations/0002-subscription-alias.ts'
import { signIn } from './migrations/0003-sign-in.ts'
import { access } from './migrations/0004-access.ts'
import { activity } from './migrations/0005-activity.ts'
import { registrations } from './migrations/0005-registrations.ts'
import { replicaClasses } from './migrations/0006-replica-classes.ts'
import { sharing } from './migrations/0007-sharing.ts'
import { containers } from './migrations/0009-containers.ts'
import { signInAccounts } from './migrations/0010-sign-in-accounts.ts'
import { artifacts } from './migrations/0008-artifacts.ts'
import { applicationReports } from './migrations/0016-application-reports.ts'
import { sortKey } from './migrations/0012-sort-key.ts'
import { assignmentConditions } from './migrations/0015-assignment-conditions.ts'
import { replicaRegion } from './migrations/0015-replica-region.ts'

/**
 * The schema's history, oldest first. Column types are those that SQLite and PostgreSQL share: text, integer (32 bits),
 * bigint (times in ms, sizes in bytes; both stay under 2^53). JSON is text: nothing queries into it.
 */
export const migrations: readonly Migration[] = [
  mainRoad,
  directory,
  subscriptionAlias,
  signIn,
  access,
  activity,
  registrations,
  replicaClasses,
  sharing,
  artifacts,
  containers,
  sortKey,
  signInAccounts,
  replicaRegion,
  assignmentConditions,
  applicationReports,
]
