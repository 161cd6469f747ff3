import { transferProblems } from './problems.ts'

/** A blob's place: what Azure has in `https://{account}.blob…/{container}/{blob}`. */
export interface BlobName {
  readonly account: string
  readonly container: string
  readonly blob: string
  /** `account/container/blob`, the key of its row. */
  readonly address: string
}

const accountPattern = /^[a-z0-9]{3,24}$/
const containerPattern = /^(?:\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})$/

/** Azure's rules for names ("Naming and referencing containers, blobs, and metadata"). Throws InvalidUri. */
export function parseContainerName(account: string, container: string): { account: string; container: string } {
  const lower = { account: account.toLowerCase(), container: container.toLowerCase() }
  if (!accountPattern.test(lower.account))
    throw transferProblems.InvalidUri({ reason: 'an account name has 3 to 24 letters and digits.' })
  if (!containerPattern.test(lower.container))
    throw transferProblems.InvalidUri({ reason: 'a container name has 3 to 63 letters, digits and single hyphens.' })
  return lower
}

/**
 * Throws InvalidUri. Names never become paths here, but they do in what people build on top of them: `.` and `..`
 * segments, backslashes and control characters are refused.
 */
export function parseBlobName(account: string, container: string, blob: string): BlobName {
  const place = parseContainerName(account, container)
  const isBad = (segment: string): boolean => segment === '.' || segment === '..'
  if (blob.length === 0 || blob.length > 1024)
    throw transferProblems.InvalidUri({ reason: 'a blob name has 1 to 1024 characters.' })
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\]/.test(blob) || blob.split('/').some(isBad))
    throw transferProblems.InvalidUri({
      reason: "a blob name has no '.' or '..' segments, backslashes or control characters.",
    })
  return { ...place, blob, address: `${place.account}/${place.container}/${blob}` }
}

/** The path of a blob on this server. */
export function blobPath(name: BlobName): string {
  return `/blob/${name.account}/${name.container}/${name.blob.split('/').map(encodeURIComponent).join('/')}`
}
