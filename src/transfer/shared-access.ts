import type { Account } from './account.ts'
import { transferProblems } from './problems.ts'
import { isSignedBy } from './shared-key.ts'

/** What a request wants to touch, in the words of a shared access signature. */
export interface Wanted {
  /** `s` the service, `c` a container, `o` a blob. */
  readonly level: 's' | 'c' | 'o'
  readonly container?: string | undefined
  readonly blob?: string | undefined
  /** Any of these letters permits it. */
  readonly anyOf: string
  readonly isSecure: boolean
  readonly nowMs: number
}

const fieldNames = [
  'sv',
  'sp',
  'se',
  'st',
  'sr',
  'si',
  'sip',
  'spr',
  'ses',
  'ss',
  'srt',
  'snapshot',
  'rscc',
  'rscd',
  'rsce',
  'rscl',
  'rsct',
  'skoid',
  'sdd',
] as const
type Fields = Readonly<Record<(typeof fieldNames)[number], string>>

/** The oldest version whose form of signing is read here: all clients of today sign a newer one. */
const oldestVersion = '2018-11-09'
/** From here on the encryption scope is signed too. */
const scopeSince = '2020-12-06'

/**
 * Checks a service or account SAS ("Create a service SAS", "Create an account SAS"). Throws AuthenticationFailed, or
 * AuthorizationPermissionMismatch where it is good and permits something else.
 */
export function checkSharedAccess(query: URLSearchParams, account: Account, wanted: Wanted): void {
  const refuse = (reason: string): Error => transferProblems.AuthenticationFailed({ reason })
  const fields = Object.fromEntries(
    fieldNames.map((name) => {
      const values = query.getAll(name)
      if (values.length > 1) throw refuse(`parameter '${name}' is repeated.`)
      return [name, values[0] ?? '']
    }),
  ) as Fields
  if (fields.skoid !== '' || fields.si !== '' || fields.sip !== '' || fields.snapshot !== '' || fields.sdd !== '')
    throw refuse('stored policies, address ranges and user delegation are not supported in a signature here.')
  if (!/^\d{4}-\d{2}-\d{2}$/.test(fields.sv) || fields.sv < oldestVersion)
    throw refuse(`sign it with a service version from ${oldestVersion} on.`)
  const isAccountWide = fields.ss !== '' || fields.srt !== ''
  const text = isAccountWide ? accountText(fields, account.name) : serviceText(fields, account.name, wanted)
  if (text === undefined || !isSignedBy(account, query.get('sig') ?? '', text))
    throw refuse('its signature does not fit this address.')
  const [starts, ends] = [fields.st === '' ? 0 : Date.parse(fields.st), Date.parse(fields.se)]
  if (!(starts <= wanted.nowMs)) throw refuse('it is not valid yet.')
  if (!(ends > wanted.nowMs)) throw refuse('it has expired.')
  if (fields.spr === 'https' && !wanted.isSecure) throw refuse('it permits https only.')
  const reaches = isAccountWide ? fields.ss.includes('b') && fields.srt.includes(wanted.level) : wanted.level !== 's'
  if (!reaches || !wanted.anyOf.split('').some((letter) => fields.sp.includes(letter)))
    throw transferProblems.AuthorizationPermissionMismatch({})
}

function accountText(f: Fields, account: string): string {
  const lines = [account, f.sp, f.ss, f.srt, f.st, f.se, f.sip, f.spr, f.sv]
  return `${[...lines, ...(f.sv >= scopeSince ? [f.ses] : [])].join('\n')}\n`
}

/** A signature for a container covers its blobs; one for a blob covers that one. Undefined: it covers something else. */
function serviceText(f: Fields, account: string, { container, blob }: Wanted): string | undefined {
  if (container === undefined || (f.sr !== 'c' && (f.sr !== 'b' || blob === undefined))) return undefined
  const resource = `/blob/${account}/${container}${f.sr === 'b' ? `/${blob}` : ''}`
  const scope = f.sv >= scopeSince ? [f.ses] : []
  const lines = [f.sp, f.st, f.se, resource, f.si, f.sip, f.spr, f.sv, f.sr, f.snapshot, ...scope]
  return [...lines, f.rscc, f.rscd, f.rsce, f.rscl, f.rsct].join('\n')
}
