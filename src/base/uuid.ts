const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Azure calls it GUID. In any case. */
export function isUuid(text: string): boolean {
  return uuid.test(text)
}
