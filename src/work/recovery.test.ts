import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../base/clock.ts'
import { randomFraction } from '../base/random.ts'
import { openDatabase } from '../db/open.ts'
import { findSetting } from '../db/setting.rows.ts'
import { Interrupt, TransientError } from './failure.ts'
import { createHarness, eventually, gate, type Harness, start, untilAborted } from './harness.fixture.ts'
import { claimOperations, endOperation, releaseOperation, storeOutputs, storeProgress } from './operation.rows.ts'
import { stepNames, threeSteps } from './three-steps.fixture.ts'
import type { Workflow } from './workflow.ts'

const fixture = fileURLToPath(new URL('engine.fixture.ts', import.meta.url))

/** A real process; resolves when it has written `line`. */
async function spawnServer(harness: Harness, log: string, hangAt: string, line: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fixture, harness.path, log, 'embedded', hangAt], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const chunk of child.stdout) {
    text += String(chunk)
    if (text.includes(`${line}\n`)) return child
  }
  throw new Error(`the server ended before "${line}": ${text}`)
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

const readSteps = async (log: string): Promise<string[]> => (await readFile(log, 'utf8')).split('\n').filter(Boolean)

/** A clock whose timers stand still while `frozen`: a process that got no time, or was cut off. */
function freezableClock(): Clock & { frozen: boolean } {
  const clock = {
    frozen: false,
    now: () => systemClock.now(),
    async sleep(ms: number, signal?: AbortSignal) {
      await systemClock.sleep(ms, signal)
      while (clock.frozen) await systemClock.sleep(5, signal)
    },
  }
  return clock
}

suite('kill -9', () => {
  const cases = [
    { at: 'one', ran: ['one', 'one', 'two', 'three'] },
    { at: 'two', ran: ['one', 'two', 'two', 'three'] },
    { at: 'three', ran: ['one', 'two', 'three', 'three'] },
    { at: 'settle', ran: ['one', 'two', 'three'] },
  ]
  for (const { at, ran } of cases)
    test(`at ${at}: the next process goes on there, and what was done is not done again`, async () => {
      await using harness = await createHarness()
      const log = `${harness.path}.log`
      await writeFile(log, '')
      const workflow = threeSteps({ onStep: (name) => writeFile(log, `${name}\n`, { flag: 'a' }) })
      const work = await harness.engine({ workflows: [workflow], owner: 'embedded', reclaimOnStart: true })
      const { id } = await start(work, harness.db, 'three-steps')
      await kill(await spawnServer(harness, log, at, `at ${at}`))
      assert.equal((await work.find(id))?.state, 'InProgress')
      assert.equal(await findSetting(harness.db, `settled ${id}`), undefined)
      await work.run()
      const ended = await work.wait(id)
      assert.deepEqual(await readSteps(log), ran)
      assert.equal(ended.result, expectedResult())
      assert.equal(await findSetting(harness.db, `settled ${id}`), 'Succeeded')
    })

  test('at random moments, again and again: every operation ends, no finished step is repeated', async () => {
    await using harness = await createHarness()
    const log = `${harness.path}.log`
    await writeFile(log, '')
    const work = await harness.engine({
      workflows: [threeSteps({ onStep: async () => {} })],
      owner: 'embedded',
      reclaimOnStart: true,
    })
    const ids: string[] = []
    const kills = 5
    for (let i = 0; i < kills; i++) {
      for (let n = 0; n < 20; n++) ids.push((await start(work, harness.db, 'three-steps')).id)
      const child = await spawnServer(harness, log, 'none', 'ready')
      await systemClock.sleep(randomFraction() * 25)
      await kill(child)
    }
    await work.run()
    const ended = await Promise.all(ids.map((id) => work.wait(id)))
    assert.ok(ended.every((operation) => operation.state === 'Succeeded' && operation.result === expectedResult()))
    for (const id of ids) assert.equal(await findSetting(harness.db, `settled ${id}`), 'Succeeded')
    // At most what was running in each kill (8 at once) was done twice.
    assert.ok((await readSteps(log)).length <= ids.length * stepNames.length + kills * 8)
  })
})

/** What three-steps makes of its outputs: each step joins those before it and adds its first letter. */
function expectedResult(): string {
  const outputs: string[] = []
  for (const name of stepNames) outputs.push(`${outputs.join('')}${name[0]}`)
  return outputs.at(-1) ?? ''
}

suite('each step', () => {
  for (const bad of stepNames)
    test(`${bad} fails twice: only it is repeated`, async () => {
      await using harness = await createHarness()
      const ran: string[] = []
      const workflow = threeSteps({
        async onStep(name) {
          ran.push(name)
          if (name === bad && ran.filter((one) => one === bad).length < 3) throw new TransientError('not now')
        },
      })
      const work = await harness.engine({ workflows: [workflow] })
      await work.run()
      const ended = await work.wait((await start(work, harness.db, 'three-steps')).id)
      assert.equal(ended.state, 'Succeeded')
      assert.equal(ended.result, expectedResult())
      assert.deepEqual(
        ran,
        stepNames.flatMap((name) => (name === bad ? [name, name, name] : [name])),
      )
    })
})

suite('two engines', () => {
  test('share the work: every step of every operation runs once', async () => {
    await using harness = await createHarness()
    const ran = new Map<string, number>()
    const workflow: Workflow = {
      name: 'w',
      steps: stepNames.map((name) => ({
        name,
        async run({ operationId }) {
          const key = `${operationId} ${name}`
          ran.set(key, (ran.get(key) ?? 0) + 1)
          await systemClock.sleep(1)
        },
      })),
    }
    const both = [await harness.engine({ workflows: [workflow] }), await harness.engine({ workflows: [workflow] })]
    await Promise.all(both.map((work) => work.run()))
    const [first] = both
    assert.ok(first)
    const started = await Promise.all(Array.from({ length: 60 }, () => start(first, harness.db, 'w')))
    await Promise.all(started.map(({ id }) => first.wait(id)))
    assert.equal(ran.size, 180)
    assert.ok([...ran.values()].every((times) => times === 1))
  })

  test('one that stalls and comes back writes nothing; its step is told', async () => {
    await using harness = await createHarness()
    const clock = freezableClock()
    const [there, go, left] = [gate(), gate(), gate()]
    const settled: string[] = []
    const tell = (who: string) => async () => void settled.push(who)
    let reason: unknown
    const stalling: Workflow = {
      name: 'w',
      steps: [
        {
          name: 's',
          async run({ report, signal }) {
            there.open()
            await go.opened
            report({ from: 'stalled' })
            await eventually(() => signal.aborted, 'the lost lease')
            reason = signal.reason
            left.open()
            return 'stalled'
          },
        },
        { name: 't', run: async () => assert.fail('went on without a lease') },
      ],
      settle: tell('stalled'),
    }
    const quick: Workflow = {
      name: 'w',
      steps: [
        { name: 's', run: async ({ report }) => (report({ from: 'quick' }), 'quick') },
        { name: 't', run: async () => 'end' },
      ],
      settle: tell('quick'),
    }
    const one = await harness.engine({ workflows: [stalling], clock, leaseMs: 60 })
    const two = await harness.engine({ workflows: [quick], leaseMs: 60 })
    await one.run()
    const { id } = await start(one, harness.db, 'w')
    await there.opened
    clock.frozen = true
    await two.run()
    const ended = await two.wait(id)
    assert.deepEqual(ended.outputs, { s: 'quick', t: 'end' })
    clock.frozen = false
    go.open()
    await left.opened
    await systemClock.sleep(30)
    assert.deepEqual(await two.find(id), ended)
    assert.deepEqual(settled, ['quick'])
    assert.ok(reason instanceof Interrupt && reason.kind === 'leaseLost')
  })

  test('one that stalls while it settles does not settle a second time', async () => {
    await using harness = await createHarness()
    const clock = freezableClock()
    const there = gate()
    const settled: string[] = []
    const stalling: Workflow = {
      name: 'w',
      steps: [{ name: 's', run: async () => 1 }],
      async settle() {
        settled.push('stalled')
        clock.frozen = true
        there.open()
        throw new TransientError('not now')
      },
    }
    const one = await harness.engine({ workflows: [stalling], clock, leaseMs: 60 })
    const two = await harness.engine({
      workflows: [{ ...stalling, settle: async () => void settled.push('quick') }],
      leaseMs: 60,
    })
    await one.run()
    const { id } = await start(one, harness.db, 'w')
    await there.opened
    await two.run()
    const ended = await two.wait(id)
    clock.frozen = false
    await eventually(() => harness.lines.some((line) => line.message === 'operation lost to another run'), 'the end')
    assert.deepEqual(settled, ['stalled', 'quick'])
    assert.deepEqual(await two.find(id), ended)
  })

  test('one that cannot reach the database any more stops its steps when its lease has run out', async () => {
    await using harness = await createHarness()
    const own = await openDatabase({ path: harness.path })
    const [there, told] = [gate(), gate()]
    const workflow: Workflow = {
      name: 'w',
      steps: [
        {
          name: 's',
          async run({ signal }) {
            there.open()
            await untilAborted(signal).catch((error: unknown) => {
              assert.ok(error instanceof Interrupt && error.kind === 'leaseLost')
              told.open()
            })
          },
        },
      ],
    }
    const one = await harness.engine({ workflows: [workflow], db: own.db, leaseMs: 90 })
    await one.run()
    await start(one, harness.db, 'w')
    await there.opened
    await own.close()
    await told.opened
    await one.stop(0)
  })

  test('a living one keeps its lease however long a step takes', async () => {
    await using harness = await createHarness()
    const slow: Workflow = { name: 'w', steps: [{ name: 's', run: () => systemClock.sleep(300) }] }
    const thief: Workflow = { name: 'w', steps: [{ name: 's', run: async () => assert.fail('stolen') }] }
    const one = await harness.engine({ workflows: [slow], leaseMs: 120 })
    const two = await harness.engine({ workflows: [thief], leaseMs: 120 })
    await one.run()
    const { id } = await start(one, harness.db, 'w')
    await eventually(
      async () => (await harness.db.selectFrom('operation').select('fence').executeTakeFirst())?.fence === 1,
      'the claim',
    )
    await two.run()
    assert.equal((await one.wait(id)).state, 'Succeeded')
  })
})

test('an old fence opens nothing: every write of a run is refused after the next claim', async () => {
  await using harness = await createHarness()
  const { db } = harness
  const work = await harness.engine({ workflows: [{ name: 'w', steps: [] }] })
  await start(work, db, 'w')
  const request = { owner: 'a', leaseMs: 10, limit: 5, workflows: ['w'], except: [] }
  const nowMs = systemClock.now()
  const [old] = await claimOperations(db, { ...request, nowMs })
  assert.ok(old)
  assert.deepEqual(await claimOperations(db, { ...request, nowMs: nowMs + 9 }), [], 'the lease holds')
  const [fresh] = await claimOperations(db, { ...request, nowMs: nowMs + 10, owner: 'b' })
  assert.equal(fresh?.hold.fence, old.hold.fence + 1)
  const row = await db.selectFrom('operation').selectAll().execute()
  const writes = [
    storeProgress(db, old.hold, { x: 1 }),
    storeOutputs(db, old.hold, { outputs: { a: 1 }, step: 1, progress: {} }),
    releaseOperation(db, old.hold, { dueMs: 0, attempt: 1, progress: {} }),
    endOperation(db, old.hold, { ...old.operation, state: 'Succeeded', endedMs: nowMs }),
  ]
  assert.deepEqual(await Promise.all(writes), [false, false, false, false])
  assert.deepEqual(await db.selectFrom('operation').selectAll().execute(), row)
})

suite('stopping', () => {
  test('a step is told, its operation is given back uncounted, and the next engine goes on at once', async () => {
    await using harness = await createHarness()
    const there = gate()
    let reason: unknown
    let ran = 0
    const polite: Workflow = {
      name: 'w',
      steps: [
        { name: 'first', run: async () => void ran++ },
        {
          name: 'second',
          async run({ signal }) {
            there.open()
            await untilAborted(signal).catch((error: unknown) => {
              reason = error
              throw new Error('in the middle of something')
            })
          },
        },
      ],
    }
    const work = await harness.engine({ workflows: [polite] })
    await work.run()
    const { id } = await start(work, harness.db, 'w')
    await there.opened
    await work.stop()
    assert.ok(reason instanceof Interrupt && reason.kind === 'shutdown')
    const kept = await work.find(id)
    assert.deepEqual([kept?.state, kept?.step, kept?.attempt, ran], ['InProgress', 1, 0, 1])
    const finish = { ...polite, steps: polite.steps.map((step) => ({ ...step, run: async () => step.name })) }
    const next = await harness.engine({ workflows: [finish] })
    await next.run()
    assert.deepEqual((await next.wait(id)).outputs, { first: null, second: 'second' })
  })

  test('a step that ends well while stopping keeps its output, and the next one does not begin', async () => {
    await using harness = await createHarness()
    const [there, go] = [gate(), gate()]
    const workflow: Workflow = {
      name: 'w',
      steps: [
        {
          name: 'deaf',
          async run() {
            there.open()
            await go.opened
            return 'kept'
          },
        },
        { name: 'next', run: async () => assert.fail('began while stopping') },
      ],
    }
    const work = await harness.engine({ workflows: [workflow] })
    await work.run()
    const { id } = await start(work, harness.db, 'w')
    await there.opened
    const stopped = work.stop()
    go.open()
    await stopped
    const kept = await work.find(id)
    assert.deepEqual([kept?.state, kept?.outputs], ['InProgress', { deaf: 'kept' }])
  })

  test('a step that never ends does not hold the stop longer than asked', async () => {
    await using harness = await createHarness()
    const there = gate()
    const deaf: Workflow = { name: 'w', steps: [{ name: 's', run: () => (there.open(), new Promise(() => {})) }] }
    const work = await harness.engine({ workflows: [deaf] })
    await work.run()
    await start(work, harness.db, 'w')
    await there.opened
    const beganMs = systemClock.now()
    await work.stop(50)
    assert.ok(systemClock.now() - beganMs < 1000)
    assert.ok(harness.lines.some((line) => line.message === 'steps did not stop in time'))
  })
})
