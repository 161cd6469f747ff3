import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHarness, start } from './harness.fixture.ts'
import type { Tx } from '../db/tables.ts'
import type { Outcome } from './workflow.ts'

test('what is over already is stored as ended, settles its resource with the transaction, and never runs', async () => {
  await using harness = await createHarness()
  const runs: string[] = []
  const workflow = { name: 'w', steps: [{ name: 's', run: async () => void runs.push('ran') }] }
  const settled: string[] = []
  const onSettled = async (_tx: Tx, { id }: { id: string }, { state }: Outcome) => void settled.push(`${id} ${state}`)
  const work = await harness.engine({ workflows: [workflow], onSettled })
  await work.run()
  const request = {
    resourceKey: '/r',
    intent: 'update',
    subscriptionId: 's',
    location: 'l',
    createdBy: 'me',
  } as const
  await harness.db.transaction().execute(async (tx) => {
    await work.startDone(tx, { ...request, id: 'done', workflow: 'nothing to do', input: {} })
    assert.deepEqual(settled, ['done Succeeded'])
  })
  const found = await work.wait('done')
  assert.deepEqual([found.state, found.endedMs], ['Succeeded', found.createdMs])
  assert.equal((await work.wait((await start(work, harness.db, 'w')).id)).state, 'Succeeded')
  assert.deepEqual(runs, ['ran'])
})
