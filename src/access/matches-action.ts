/** Whether an action fits a pattern; `*` is any run of characters, slashes too; case does not count. */
export function matchesAction(pattern: string, action: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const text = action.toLowerCase()
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
