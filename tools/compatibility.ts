// The part of docs/compatibility.md that follows from src/contract. `node tools/compatibility.ts` writes it;
// test/docs/compatibility.test.ts says when it is out of step.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { subscriptionsApiVersions } from '../src/contract/api-versions.ts'
import type { ActionDeclaration, ResourceTypeDeclaration, Timing } from '../src/contract/resource-type.ts'
import { resourceTypes } from '../src/contract/resource-types.ts'
import type { ClientReport } from '../test/clients/client-report.ts'
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

export const clientsFolder = join(toolConfig.root, 'docs/clients')

/** What ran (`npm run test:clients` writes a file a client): commands down, the clients of a family across. */
function clientTables(): readonly string[] {
  const reports = globSync('*.json', { cwd: clientsFolder })
    .toSorted()
    .map((file) => ({
      family: file.split('-')[0] ?? '',
      ...(JSON.parse(readFileSync(join(clientsFolder, file), 'utf8')) as ClientReport),
    }))
  return [...new Set(reports.map(({ family }) => family))].map((family) => {
    const own = reports.filter((report) => report.family === family)
    const commands = [...new Set(own.flatMap((report) => report.commands.map(({ command }) => command)))]
    const rows = commands.map((command) => {
      const states = own.map((report) => report.commands.find((one) => one.command === command)?.state ?? 'not run')
      return `| \`${command}\` | ${states.join(' | ')} |`
    })
    const head = `| command | ${own.map(({ client }) => client).join(' | ')} |`
    return ['', head, `| --- |${' --- |'.repeat(own.length)}`, ...rows].join('\n')
  })
}

/** The generated text, between its marks. */
export function compatibilityTables(): string {
  const sections = resourceTypes.map((type) => {
    const rows = rowsOf(type).map(([operation, request, answer]) => `| ${operation} | \`${request}\` | ${answer} |`)
    const head = ['| operation | request | answer |', '| --- | --- | --- |']
    return [`### ${type.type}`, '', `api-versions ${showVersions(type.apiVersions)}`, '', ...head, ...rows].join('\n')
  })
  const others = `Subscriptions, their locations, tenants: api-versions ${showVersions(subscriptionsApiVersions)}.`
  const clients = ['## Clients, command by command', '', 'What ran, by `npm run test:clients`.', ...clientTables()]
  return [begin, '', ...sections.flatMap((section) => [section, '']), others, '', ...clients, '', end].join('\n')
}

/** The file with the generated part as it should be. */
export function inStep(text: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${compatibilityFile} has lost the marks '${begin}' and '${end}'.`)
  return text.slice(0, from) + compatibilityTables() + text.slice(to + end.length)
}

if (import.meta.main) writeFileSync(compatibilityFile, inStep(readFileSync(compatibilityFile, 'utf8')))
