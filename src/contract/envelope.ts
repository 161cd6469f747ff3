import { Type } from 'typebox'
import { anyJson, mapOf, needText, oneOf, part, text } from './schema.ts'

/** The members that every tracked ARM resource has, around those of its type. */
export const body = <M extends Type.TProperties>(members: M, notes: { readonly open?: boolean } = {}) =>
  Type.Object({ location: needText({ region: 'short' }), tags: mapOf(Type.String()), ...members }, { ...notes })

/** Managed identities: `src/managed-identity` makes the principals and writes their ids. */
export const identity = (since?: string) =>
  part(
    {
      type: oneOf(['None', 'SystemAssigned', 'UserAssigned', 'SystemAssigned, UserAssigned']),
      principalId: text({ readOnly: true }),
      tenantId: text({ readOnly: true }),
      userAssignedIdentities: mapOf(
        Type.Object({ principalId: text({ readOnly: true }), clientId: text({ readOnly: true }) }),
      ),
    },
    since === undefined ? {} : { since },
  )

/** `sku` of the body: kept by a PUT that leaves it out. */
export const sku = <const V extends string[]>(names: readonly [...V]) =>
  part(
    { name: oneOf(names, { kept: true, defaults: [{ value: 'Standard_LRS' }] }), tier: text({ readOnly: true }) },
    { kept: true, defaults: [{ value: {} }] },
  )

/** The edge zone a resource lives in. */
export const extendedLocation = (since?: string) =>
  part({ name: text(), type: oneOf(['EdgeZone']) }, since === undefined ? {} : { since })

/** Who made and changed it; `arm` writes it. */
export const systemData = (since: string) => anyJson({ since, readOnly: true })

/** How ComputeRP's errors write a path: without `properties`. */
export const computeErrors = (errorName: string) => ({
  errorName,
  errorPath: (path: readonly string[]) => [errorName, ...path.filter((step) => step !== 'properties')].join('.'),
})
