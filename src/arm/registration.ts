/** What a subscription last asked for about a provider or a feature. */
export interface Registration {
  readonly isWanted: boolean
  readonly changedMs: number
}

export type RegistrationState = 'NotRegistered' | 'Registering' | 'Registered' | 'Unregistering' | 'Unregistered'

/** How long a change shows as under way: clients that poll must see it end, those that do not must not notice. */
const underWayMs = 1_000

/** The state now: it follows from what was asked for and when, so that nothing has to run for it to change. */
export function registrationState(
  registration: Registration | undefined,
  nowMs: number,
  byDefault: 'Registered' | 'NotRegistered',
): RegistrationState {
  if (registration === undefined) return byDefault
  const isUnderWay = nowMs < registration.changedMs + underWayMs
  if (registration.isWanted) return isUnderWay ? 'Registering' : 'Registered'
  return isUnderWay ? 'Unregistering' : 'Unregistered'
}

/** Whether what needs it may be written: from the moment in which it is asked for, as in Azure. */
export function isUsable(state: RegistrationState): boolean {
  return state === 'Registered' || state === 'Registering'
}
