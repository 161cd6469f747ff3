// A server that only works, for recovery.test.ts to kill: `engine.fixture.ts DATABASE LOG OWNER HANG_AT`.
// Its three steps append their names to LOG; the one named HANG_AT says so on stdout and never ends.
import { appendFile } from 'node:fs/promises'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../db/open.ts'
import { createWork } from './engine.ts'
import { threeSteps } from './three-steps.fixture.ts'

const [, , path = '', log = '', owner = '', hangAt = ''] = process.argv
const { db } = await openDatabase({ path })
const work = createWork({
  db,
  clock: systemClock,
  logger: silentLogger,
  owner,
  pollMs: 20,
  reclaimOnStart: true,
  workflows: [
    threeSteps({
      async onStep(name) {
        await appendFile(log, `${name}\n`)
        if (name !== hangAt) return
        process.stdout.write(`at ${name}\n`)
        await new Promise(() => {})
      },
      async onSettle() {
        if (hangAt !== 'settle') return
        process.stdout.write('at settle\n')
        await new Promise(() => {})
      },
    }),
  ],
})
await work.run()
process.stdout.write('ready\n')
await systemClock.sleep(600_000)
