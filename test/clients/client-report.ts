import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'

/** Where tools/test-clients.ts gathers what ran; a suite that somebody runs by itself reports nothing. */
const folder = process.env['GOLDLEAF_CLIENT_REPORTS']

/** What became of one command of a client: the row of docs/compatibility.md. */
export interface CommandResult {
  readonly command: string
  /** `passes`, `fails`, or what is to be known of the client itself. */
  readonly state: string
}

export interface ClientReport {
  /** `az 2.45.0 (Debian 12)` */
  readonly client: string
  readonly commands: readonly CommandResult[]
}

/** Declares a step; what `check` answers takes the place of `passes`: a fault of the client that no server can mend. */
export type Step = (command: string, check: () => Promise<string | void>) => void

/**
 * A suite whose steps are commands of a real client, run in order. In the end it reports `<slug>.json` for
 * docs/clients, from which tools/compatibility.ts makes the table of docs/compatibility.md: it says what ran, no more.
 */
export function clientSuite(client: string, slug: string, body: (step: Step) => void): void {
  suite(client, () => {
    const states = new Map<string, CommandResult['state']>()
    after(() => {
      const commands = [...states].map(([command, state]) => ({ command, state }))
      if (folder === undefined) return
      const report: ClientReport = { client, commands }
      writeFileSync(join(folder, `${slug}.json`), `${JSON.stringify(report, undefined, 2)}\n`)
    })
    body((command, check) => {
      assert.ok(!states.has(command), `'${command}' has two steps of one name`)
      // Fails until it has run: a step that never came counts as one that failed.
      states.set(command, 'fails')
      test(command, async () => {
        states.set(command, (await check()) ?? 'passes')
      })
    })
  })
}
