/**
 * The actions that touch bytes instead of resources: Azure judges them by a role's dataActions, which Owner and
 * Contributor do not have (resource-provider-operations, "DataAction").
 */
const patterns = [
  /^microsoft\.storage\/storageaccounts\/blobservices\/containers\/blobs\/.+/i,
  /^microsoft\.compute\/(disks|snapshots)\/(download|upload)\/action$/i,
]

export function isDataAction(action: string): boolean {
  return patterns.some((pattern) => pattern.test(action))
}
