/**
 * Points in time as ARM takes and shows them. .NET keeps seven fractional digits and clients send every ISO form, so
 * dates are text here, with their full precision, in UTC.
 */
const isoPattern =
  /^(\d{4})-?(\d{2})(?:-?(\d{2})(?:[Tt ](\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d{1,9}))?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?)?$/

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

/**
 * `2030-01-01`, `20300101T000000Z`, `2030-01-01T00:00:00+02:00` … -> `2030-01-01T00:00:00.000Z` (seven digits where
 * they matter).
 * Undefined for what is no date, the 31st of February included. Without a zone it is UTC.
 */
export function findCanonicalDate(text: string): string | undefined {
  const match = isoPattern.exec(text.trim())
  if (match === null) return undefined
  const [, year, month, day = '01', hour = '0', minute = '0', second = '0', fraction = '', zone] = match
  const digits = fraction.slice(0, 7).padEnd(7, '0')
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  if (h > 23 || m > 59 || s > 59 || Math.abs(offsetMinutes(zone)) > 14 * 60) return undefined
  const midnight = new Date(0)
  // Not Date.UTC, which moves years below 100: PowerShell sends 0001-01-01 for "not set".
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  // It rolls over: the 31st of February would become the 3rd of March.
  if (midnight.toISOString().slice(0, 10) !== `${year}-${month}-${day}`) return undefined
  const ms = midnight.getTime() + ((h * 60 + m - offsetMinutes(zone)) * 60 + s) * 1000 + Number(digits.slice(0, 3))
  const iso = new Date(ms).toISOString()
  return digits.endsWith('0000') ? iso : iso.replace('Z', `${digits.slice(3)}Z`)
}

/** A canonical date in Azure's form: `2030-01-01T00:00:00+00:00`, without zeros at the end. Other text is left as it is. */
export function formatArmDate(canonical: string): string {
  const match = /^(.{19})(?:\.(\d*?)0*)?Z$/.exec(canonical)
  if (match === null) return canonical
  const [, seconds = '', fraction = ''] = match
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}+00:00`
}
