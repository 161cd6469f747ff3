import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NotYet } from './failure.ts'
import { createHarness, start } from './harness.fixture.ts'
import type { Workflow } from './workflow.ts'

test('a step that waits for the world is run again without an attempt, and lets others run meanwhile', async () => {
  await using harness = await createHarness()
  let hasArrived = false
  const attempts: number[] = []
  const waiting: Workflow = {
    name: 'waits',
    steps: [
      {
        name: 's',
        async run({ attempt }) {
          attempts.push(attempt)
          if (attempts.length < 20 || !hasArrived) throw new NotYet(2)
        },
      },
    ],
  }
  const other: Workflow = { name: 'w', steps: [{ name: 's', run: async () => void (hasArrived = true) }] }
  const work = await harness.engine({ workflows: [waiting, other], concurrency: 1, pollMs: 5 })
  await work.run()
  const first = await start(work, harness.db, 'waits')
  const second = await start(work, harness.db, 'w')
  assert.equal((await work.wait(second.id)).state, 'Succeeded')
  assert.equal((await work.wait(first.id)).state, 'Succeeded')
  assert.deepEqual(new Set(attempts), new Set([1]))
})
