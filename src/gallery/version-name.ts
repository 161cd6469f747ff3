/** The name of an image version: three non-negative 32-bit integers (behaviour.md B1). */
export type VersionName = string & { readonly brand: 'VersionName' }

const largest = 2_147_483_647

export function isVersionName(text: string): text is VersionName {
  return /^\d+\.\d+\.\d+$/.test(text) && text.split('.').every((part) => Number(part) <= largest)
}

/** Compares by number, not by text: 1.0.12 comes after 1.0.9. */
export function compareVersionNames(a: string, b: string): number {
  const left = a.split('.').map(Number)
  const right = b.split('.').map(Number)
  for (let i = 0; i < 3; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
