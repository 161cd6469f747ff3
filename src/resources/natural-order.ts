/**
 * Order of names in lists: runs of digits compare as numbers, so that `1.0.12` follows `1.0.9` and the last version of
 * a list is the highest (behaviour.md B4: Terraform takes the last one as the latest). Case does not count.
 */
export function compareNames(a: string, b: string): number {
  return compareParts(split(a), split(b)) || compareText(a.toLowerCase(), b.toLowerCase())
}

/** Sorted copy; each name is taken apart once, as a list may have ten thousand. */
export function sortByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const taken = items.map((item) => ({ item, parts: split(item.name) }))
  taken.sort(
    (a, b) => compareParts(a.parts, b.parts) || compareText(a.item.name.toLowerCase(), b.item.name.toLowerCase()),
  )
  return taken.map(({ item }) => item)
}

function compareParts(left: readonly string[], right: readonly string[]): number {
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = comparePart(left[at] ?? '', right[at] ?? '')
    if (order !== 0) return order
  }
  return left.length - right.length
}

function split(name: string): readonly string[] {
  return name.toLowerCase().match(/\d+|\D+/g) ?? []
}

function comparePart(a: string, b: string): number {
  if (!isNumber(a) || !isNumber(b)) return compareText(a, b)
  const left = a.replace(/^0+(?=\d)/, '')
  const right = b.replace(/^0+(?=\d)/, '')
  return left.length - right.length || compareText(left, right)
}

function isNumber(part: string): boolean {
  return part.charCodeAt(0) >= 48 && part.charCodeAt(0) <= 57
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
