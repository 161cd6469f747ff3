import type { Directory } from './directory.ts'

/**
 * Whether whom a token was issued to is still here and enabled, at home too: a token outlives neither the account nor
 * the guest's invitation, although it is good for an hour.
 */
export async function isActive(
  directory: Pick<Directory, 'findObject'>,
  { tenantId, objectId }: { readonly tenantId: string; readonly objectId: string },
): Promise<boolean> {
  const found = await directory.findObject(tenantId, objectId)
  if (found?.kind !== 'user' && found?.kind !== 'servicePrincipal') return false
  if (!found.accountEnabled) return false
  return found.kind === 'servicePrincipal' || found.home === undefined || isActive(directory, found.home)
}
