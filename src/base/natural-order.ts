/**
 * A text whose order by bytes is the order of names in lists: runs of digits compare as numbers, so that `1.0.12` follows
 * `1.0.9` and the last version of a list is the highest (behaviour.md B4: Terraform takes the last one as the latest).
 * Case does not count. Databases keep it beside the name and page by it.
 */
export function sortKeyOf(name: string): string {
  const lower = name.toLowerCase()
  const padded = lower.replaceAll(/\d+/g, (run) => {
    const digits = run.replace(/^0+(?=\d)/, '')
    return `0${String(digits.length).padStart(2, '0')}${digits}`
  })
  // `1` and `01` are the same number, not the same name. A space comes before everything that names are made of.
  return `${padded} ${lower}`
}

export function compareNames(a: string, b: string): number {
  return compareText(sortKeyOf(a), sortKeyOf(b))
}

/** Sorted copy; each name is taken apart once, as a list may have ten thousand. */
export function sortByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const taken = items.map((item) => ({ item, key: sortKeyOf(item.name) }))
  return taken.sort((a, b) => compareText(a.key, b.key)).map(({ item }) => item)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
