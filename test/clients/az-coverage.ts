import assert from 'node:assert/strict'
import type { AzWalk } from './az-walk.ts'

/** The groups of commands of which nothing may be left out. */
export const coveredGroups = ['sig', 'group', 'feature', 'provider'] as const

interface LeftOut {
  readonly command: RegExp
  /** Undefined: the whole command. */
  readonly option?: string
  readonly why: string
}

const leftOut: readonly LeftOut[] = [
  { command: /^group deployment /, why: 'deployments of templates are not served yet (404 InvalidResourceType)' },
  { command: /^group export$/, why: 'templates are not served yet' },
  { command: /./, option: '--ids', why: 'az takes an id apart by itself: walked with sig show' },
  { command: /^group update$/, option: '--add', why: "az's own fault: it stops before it asks the server" },
  { command: /^group update$/, option: '--remove', why: "az's own fault: it stops before it asks the server" },
  { command: /^sig (gallery-application )?update$/, option: '--add', why: 'it has no list that may be changed' },
  { command: /^sig gallery-application wait$/, option: '--created', why: 'waits for a state that Azure does not show' },
  { command: /^sig gallery-application wait$/, option: '--updated', why: 'waits for a state that Azure does not show' },
  { command: /^sig share enable-community$/, option: '--subscription-ids', why: 'says nothing: it is shared with all' },
  { command: /^sig share enable-community$/, option: '--tenant-ids', why: 'says nothing: it is shared with all' },
]

/** Options that every command has, and that az itself answers for. */
const everywhere = ['--help', '--verbose', '--debug', '--only-show-errors', '--output', '--query', '--subscription']

/** Last step: each command and each option of what az has was used by the walk, or stands above with its reason. */
export function walkCoverage(
  { az, step }: AzWalk,
  options: () => Awaited<ReturnType<ReturnType<AzWalk['az']>['options']>>,
): void {
  step(`every option of ${coveredGroups.join(', ')}`, async () => {
    const missing = Object.entries(options()).flatMap(([command, all]) => {
      const calls = az().calls.filter((args) => isCall(args, command, Object.keys(options())))
      const isLeftOut = (names?: readonly string[]): boolean =>
        leftOut.some((one) => one.command.test(command) && (one.option === undefined || names?.includes(one.option)))
      if (isLeftOut()) return []
      if (calls.length === 0) return [command]
      return all
        .filter(
          (names) => !names.some((name) => everywhere.includes(name) || calls.some((args) => args.includes(name))),
        )
        .filter((names) => !isLeftOut(names))
        .map((names) => `${command} ${names.join(' ')}`)
    })
    assert.deepEqual(missing, [], 'the walk uses none of these')
  })
}

function isCall(args: readonly string[], command: string, commands: readonly string[]): boolean {
  const words = command.split(' ')
  return words.every((word, at) => args[at] === word) && !commands.includes([...words, args[words.length]].join(' '))
}
