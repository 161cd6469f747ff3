// The part of docs/compatibility.md that follows from src/contract. `node tools/compatibility.ts` writes it;
// test/docs/compatibility.test.ts says when it is out of step.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { subscriptionsApiVersions } from '../src/contract/api-versions.ts'
import type { ActionDeclaration, ResourceTypeDeclaration, Timing } from '../src/contract/resource-type.ts'
import { resourceTypes } from '../src/contract/resource-types.ts'
import { toolConfig } from './config.ts'

export const compatibilityFile = join(toolConfig.root, 'docs', 'compatibility.md')
const begin = '<!-- begin: written by tools/compatibility.ts -->'
const end = '<!-- end -->'

type Row = readonly [operation: string, request: string, answer: string]

/** Long lists of dates as their ends: the whole list stands in api-versions.ts, and in every error that refuses one. */
function showVersions(versions: readonly string[]): string {
  return `${versions[0]} to ${versions.at(-1)} (${versions.length})`
}

/** `Microsoft.Compute/galleries/images` -> `galleries/{gallery}/images/{image}`. */
function pathOf({ type }: ResourceTypeDeclaration): string {
  const [, ...segments] = type.split('/')
  return segments.map((segment) => `${segment}/{${segment.replace(/ies$/, 'y').replace(/s$/, '')}}`).join('/')
}

function answerOf(timing: Timing, success: number): string {
  return timing === 'sync' ? String(success) : `${success}, then an operation`
}

function actionRow(path: string, { name, method = 'POST', timing, since, extension }: ActionDeclaration): Row {
  const notes = [since === undefined ? '' : `from ${since}`, extension ? 'an extension of ours' : ''].filter(Boolean)
  const answer = timing === 'sync' ? '200' : '202, then an operation'
  return [name, `${method} ${path}/${name}`, [answer, ...notes].join('; ')]
}

function rowsOf(type: ResourceTypeDeclaration): readonly Row[] {
  const path = pathOf(type)
  const parent = path.slice(0, path.lastIndexOf('/'))
  const expands = type.expands?.length ? `; query words: ${type.expands.join(', ')}` : ''
  const rows: Row[] = [
    ['read', `GET, HEAD ${path}`, `200${expands}`],
    ['list', `GET ${parent}`, `200, pages${type.listInSubscription ? '; also of the whole subscription' : ''}`],
  ]
  if (type.put !== undefined) {
    const update = type.updateStatus === type.createStatus ? '' : ` (created), ${type.updateStatus} (updated)`
    const status = `${type.createStatus}${update}`
    rows.push(['create, replace', `PUT ${path}`, type.put === 'sync' ? status : `${status}, then an operation`])
  }
  const since = type.patchSince === undefined ? '' : `; from ${type.patchSince}`
  if (type.patch !== undefined) rows.push(['update', `PATCH ${path}`, answerOf(type.patch, type.updateStatus) + since])
  if (type.delete !== undefined) rows.push(['delete', `DELETE ${path}`, answerOf(type.delete, 202)])
  return [...rows, ...type.actions.map((action) => actionRow(path, action))]
}

/** The generated text, between its marks. */
export function compatibilityTables(): string {
  const sections = resourceTypes.map((type) => {
    const rows = rowsOf(type).map(([operation, request, answer]) => `| ${operation} | \`${request}\` | ${answer} |`)
    const head = ['| operation | request | answer |', '| --- | --- | --- |']
    return [`### ${type.type}`, '', `api-versions ${showVersions(type.apiVersions)}`, '', ...head, ...rows].join('\n')
  })
  const others = `Subscriptions, their locations, tenants: api-versions ${showVersions(subscriptionsApiVersions)}.`
  return [begin, '', ...sections.flatMap((section) => [section, '']), others, '', end].join('\n')
}

/** The file with the generated part as it should be. */
export function inStep(text: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${compatibilityFile} has lost the marks '${begin}' and '${end}'.`)
  return text.slice(0, from) + compatibilityTables() + text.slice(to + end.length)
}

if (import.meta.main) writeFileSync(compatibilityFile, inStep(readFileSync(compatibilityFile, 'utf8')))
