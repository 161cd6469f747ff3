import { isJsonObject, kindOf, type Json } from '../base/json.ts'
import { contractProblems as problems } from './problems.ts'

/** Azure's limits of any resource ("Use tags to organize your Azure resources"). */
const mostTags = 50
const longestTagName = 512
const longestTag = 256
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const reservedPattern = /[<>%&\\?/\u0000-\u001f\u007f]/
/** Tags that Azure's own tools hang on resources (`hidden-link:/subscriptions/…`) may have any character. */
const hiddenPattern = /^hidden-|^link:/i

/**
 * Tags as they are stored: texts by name, names in the spelling sent. Throws InvalidRequestContent for what is no text, too
 * long, too many, or the same name in another case; InvalidTagNameCharacters.
 */
export function normalizeTags(value: Json | undefined): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  if (!isJsonObject(value)) throw problems.TagsInvalid({ found: kindOf(value) })
  const entries = Object.entries(value).map(([name, tag]): [string, string] => {
    if (typeof tag === 'object' && tag !== null) throw problems.TagsInvalid({ found: `${kindOf(tag)} in '${name}'` })
    const text = tag === null || tag === undefined ? '' : String(tag)
    if (name.length > longestTagName || text.length > longestTag)
      throw problems.TagsTooMany({ reason: `'${name.slice(0, 64)}' has ${name.length} and ${text.length} characters` })
    return [name, text]
  })
  if (entries.length > mostTags) throw problems.TagsTooMany({ reason: `there are ${entries.length}` })
  checkNames(entries.map(([name]) => name))
  return Object.fromEntries(entries)
}

function checkNames(names: readonly string[]): void {
  const reserved = names.filter((name) => reservedPattern.test(name) && !hiddenPattern.test(name))
  if (reserved.length > 0) throw problems.InvalidTagNameCharacters({ names: reserved })
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name.toLowerCase())) throw problems.TagTwice({ name })
    seen.add(name.toLowerCase())
  }
}
