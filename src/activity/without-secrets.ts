/** Longer than any message of ours; what a client sent may be megabytes, and would be searched and kept. */
const mostCharacters = 4_096

/**
 * Takes out of a text what could open a door: queries of addresses (signatures ride there), bearer tokens, anything of
 * the form of a JWT. Messages of refusals quote what the client sent. Text that is cut off ends before its last word,
 * which may be half of a secret. The searches take time that grows faster than the text: the cut bounds it.
 */
export function withoutSecrets(text: string): string {
  const short = text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters).replace(/\S{0,4096}$/, '')}…`
  return short
    .replaceAll(/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s?#'"<>]*)\?[^\s'"<>]*/gi, '$1?…')
    .replaceAll(/\b(sig|signature|token|code|secret|password|client_secret|assertion)=[^\s&'"<>]+/gi, '$1=…')
    .replaceAll(/\bbearer\s+[^\s'"]+/gi, 'Bearer …')
    .replaceAll(/\beyJ[\w-]+(?:\.[\w-]*)+/g, '…')
}
