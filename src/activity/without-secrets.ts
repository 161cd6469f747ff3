/**
 * Takes out of a text what could open a door: queries of addresses (signatures ride there), bearer tokens, anything of
 * the form of a JWT. Messages of refusals quote what the client sent.
 */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s?#'"<>]*)\?[^\s'"<>]*/gi, '$1?…')
    .replaceAll(/\b(sig|signature|token|code|secret|password|client_secret|assertion)=[^\s&'"<>]+/gi, '$1=…')
    .replaceAll(/\bbearer\s+[^\s'"]+/gi, 'Bearer …')
    .replaceAll(/\beyJ[\w-]+(?:\.[\w-]*)+/g, '…')
}
