import { createHmac, timingSafeEqual } from 'node:crypto'

/** How long a developer may use an address before asking for another. */
export const addressLifetimeMs = 12 * 3_600_000

/** Signs and checks the path at which one machine's metadata service is reached from the host. */
export interface HostAddresses {
  /** `/vm-identity/{vmId}/{expires}/{signature}`; all of it in lower case, as MSAL puts addresses into. */
  path(vmId: string, expiresMs: number): string
  isGood(vmId: string, expires: string, signature: string, nowMs: number): boolean
}

export const hostPathPrefix = '/vm-identity'

export function createHostAddresses(key: Uint8Array): HostAddresses {
  const sign = (vmId: string, expires: string): Buffer =>
    createHmac('sha256', key).update(`vm-identity\n${vmId.toLowerCase()}\n${expires}`).digest()
  return {
    path(vmId, expiresMs) {
      const expires = String(Math.floor(expiresMs / 1000))
      return `${hostPathPrefix}/${vmId}/${expires}/${sign(vmId, expires).toString('hex')}`
    },
    isGood(vmId, expires, signature, nowMs) {
      const given = Buffer.from(signature, 'hex')
      const right = sign(vmId, expires)
      const isSigned = given.length === right.length && timingSafeEqual(given, right)
      return isSigned && Number(expires) * 1000 > nowMs
    },
  }
}
