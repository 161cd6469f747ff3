import type { Clock } from '../base/clock.ts'
import type { Directory, User } from '../directory/directory.ts'
import { createFailureCounter } from './throttle.ts'

/** A person who signed in at home, and who that is in the tenant that a token is for. */
export interface SignedIn {
  readonly home: User
  readonly user: User
}

/** oidc-provider's account id: always of the home tenant, whichever tenant a token is for. */
export function formatAccountId({ tenantId, objectId }: Pick<User, 'tenantId' | 'objectId'>): string {
  return `${tenantId}.${objectId}`
}

export function tenantOfAccount(accountId: string): string {
  return accountId.split('.', 1)[0] ?? ''
}

/** MSAL's `client_info`: the account's own id and tenant, by which it finds tokens of several tenants together. */
export function clientInfoOf({ home }: SignedIn): string {
  return Buffer.from(JSON.stringify({ uid: home.objectId, utid: home.tenantId })).toString('base64url')
}

/**
 * The account in a tenant: at home itself, elsewhere as a guest. Undefined where it is neither, or is disabled.
 * `tenantId` undefined: at home.
 */
export async function findSignedIn(
  directory: Directory,
  accountId: string,
  tenantId: string | undefined,
): Promise<SignedIn | undefined> {
  const [homeTenantId = '', objectId = ''] = accountId.split('.')
  const home = await directory.findObject(homeTenantId, objectId)
  if (home?.kind !== 'user' || !home.accountEnabled) return undefined
  if (tenantId === undefined || tenantId === homeTenantId) return { home, user: home }
  const user = await directory.findGuest(tenantId, { tenantId: homeTenantId, objectId })
  return user?.accountEnabled === true ? { home, user } : undefined
}

export type PasswordAnswer =
  | { readonly kind: 'right'; readonly user: User }
  | { readonly kind: 'wrong' }
  /** Right, but of an account that may not sign in. */
  | { readonly kind: 'disabled' }
  | { readonly kind: 'slowed'; readonly waitSeconds: number }

export type CheckPassword = (attempt: {
  readonly name: string
  readonly password: string
  /** The address that the attempt comes from. */
  readonly peer: string
}) => Promise<PasswordAnswer>

const peerLimit = { failures: 10, windowMs: 60_000 }
const accountLimit = { failures: 30, windowMs: 15 * 60_000 }
/** Peers from which an account signed in well: strangers' guesses do not lock them out. */
const familiarRemembered = 10_000
const longestName = 256
const longestPassword = 1_024

/**
 * Checks names and passwords. Attempts count before they are looked at, so that guesses made side by side do not slip
 * through; an unknown name, a wrong password and a disabled account cost the same time and, unless the password was
 * right, get the same answer.
 */
export function createPasswordCheck({
  directory,
  clock,
}: {
  directory: Pick<Directory, 'findUserByName' | 'isPassword'>
  clock: Clock
}): CheckPassword {
  const byPeer = createFailureCounter(clock, peerLimit)
  const byAccount = createFailureCounter(clock, accountLimit)
  const familiar = new Set<string>()
  return async ({ name, password, peer }) => {
    const account = name.trim().toLowerCase().slice(0, longestName)
    const place = `${account}\n${peer}`
    const waitSeconds = Math.max(byPeer.waitSeconds(peer), familiar.has(place) ? 0 : byAccount.waitSeconds(account))
    if (waitSeconds > 0) return { kind: 'slowed', waitSeconds }
    byPeer.count(peer)
    byAccount.count(account)
    const user = await directory.findUserByName(account)
    const isRight = await directory.isPassword(user, password.slice(0, longestPassword))
    if (!isRight || user === undefined) return { kind: 'wrong' }
    byPeer.forgive(peer)
    byAccount.forgive(account)
    if (!user.accountEnabled) return { kind: 'disabled' }
    familiar.add(place)
    const [oldest] = familiar
    if (familiar.size > familiarRemembered && oldest !== undefined) familiar.delete(oldest)
    return { kind: 'right', user }
  }
}
