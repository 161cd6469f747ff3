/** A clause of a `$filter`: `name('text')`, `name()`, `name eq 'text'`, `name ge 2026-01-01`. */
export interface FilterClause {
  /** As it was written. */
  readonly text: string
  /** In lower case; empty where the text is no clause. */
  readonly name: string
  readonly operator: 'call' | 'eq' | 'ge' | 'le'
  /** What stands in quotes. */
  readonly quoted: string | undefined
  /** What stands there without. */
  readonly bare: string | undefined
}

const shape =
  /^\(?\s*(?<name>\w+)(?:\s*\(\s*(?:'(?<argument>(?:[^']|'')*)')?\s*\)|\s+(?<operator>eq|ge|le)\s+(?:'(?<quoted>(?:[^']|'')*)'|(?<bare>[^\s']\S*?)))\s*\)?$/i

/**
 * The part of OData's `$filter` that ARM's lists speak: clauses joined by `and`, so that parentheses mean nothing. What is
 * no clause has no name: whoever asks refuses it as it does a name that it does not know. Graph's filters need more:
 * directory/graph/odata.ts.
 */
export function readFilterClauses(filter = ''): readonly FilterClause[] {
  if (filter.trim() === '') return []
  // Every second part stands between quotes: an `and` in there joins nothing.
  const parts = filter.trim().split("'")
  const marked = parts.map((part, at) => (at % 2 === 0 ? part.replaceAll(/\s+and\s+/gi, '\0') : part))
  return marked.join("'").split('\0').map(readClause)
}

function readClause(text: string): FilterClause {
  const { name = '', operator = 'call', argument, quoted = argument, bare } = shape.exec(text)?.groups ?? {}
  return {
    text,
    name: name.toLowerCase(),
    operator: operator.toLowerCase() as FilterClause['operator'],
    quoted: quoted?.replaceAll("''", "'"),
    bare,
  }
}
