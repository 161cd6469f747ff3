import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { findSetting, putSetting } from '../db/setting.rows.ts'
import type { Tx } from '../db/tables.ts'
import { Interrupt, TransientError } from './failure.ts'
import { createHarness, eventually, gate, start, untilAborted } from './harness.fixture.ts'
import { findRunningOperation, pruneOperations } from './operation.rows.ts'
import type { Outcome, StepContext, Workflow } from './workflow.ts'

const withCode = (code: string): Error => Object.assign(new Error(`raw ${code}`), { code })
const refused = new Problem('conflict', 'Taken', 'The name is taken. Choose another.')
const away = new Problem('unavailable', 'RegionAway', "The region 'Mars' does not answer.")

suite('how a step that throws ends', () => {
  const always = (error: Error) => () => error
  const cases: {
    why: string
    throws: (attempt: number) => Error | undefined
    tries: number
    code?: string
    says?: RegExp
  }[] = [
    { why: 'nothing thrown', throws: () => undefined, tries: 1 },
    { why: 'a Problem is final', throws: always(refused), tries: 1, code: 'Taken', says: /is taken/ },
    { why: 'unavailable is tried again', throws: (n) => (n < 3 ? away : undefined), tries: 3 },
    { why: 'unavailable for ever names the region', throws: always(away), tries: 5, code: 'RegionAway' },
    {
      why: 'a broken connection is tried again',
      throws: (n) => (n < 4 ? withCode('ECONNRESET') : undefined),
      tries: 4,
    },
    {
      why: 'so is one below another error',
      throws: (n) => (n < 2 ? new TypeError('fetch failed', { cause: withCode('ECONNREFUSED') }) : undefined),
      tries: 2,
    },
    {
      why: 'a locked database is tried again',
      throws: (n) => (n < 2 ? Object.assign(new Error('locked'), { errcode: 5 }) : undefined),
      tries: 2,
    },
    {
      why: 'transient for ever gives up',
      throws: always(new TransientError('peer')),
      tries: 5,
      code: 'ServiceUnavailable',
      says: /after 5 attempts/,
    },
    {
      why: 'transient with a Problem inside says that',
      throws: always(new TransientError('peer', refused)),
      tries: 5,
      code: 'Taken',
    },
    {
      why: 'a bug is tried three times and not shown',
      throws: always(new TypeError('secret detail')),
      tries: 3,
      code: 'InternalServerError',
      says: /^(?!.*secret)/,
    },
    {
      why: 'a bug that goes away does not matter',
      throws: (n) => (n < 3 ? new TypeError('once') : undefined),
      tries: 3,
    },
    {
      why: 'a full disk fails at once',
      throws: always(withCode('ENOSPC')),
      tries: 1,
      code: 'StorageFull',
      says: /Free space/,
    },
    {
      why: 'a full database fails at once',
      throws: always(Object.assign(new Error('full'), { errcode: 13 })),
      tries: 1,
      code: 'StorageFull',
    },
  ]
  for (const { why, throws, tries, code, says } of cases)
    test(why, async () => {
      await using harness = await createHarness()
      const attempts: number[] = []
      const workflow: Workflow = {
        name: 'w',
        steps: [
          {
            name: 'only',
            async run({ attempt }) {
              attempts.push(attempt)
              const error = throws(attempt)
              if (error) throw error
              return { made: 1 }
            },
          },
        ],
      }
      const work = await harness.engine({ workflows: [workflow] })
      await work.run()
      const ended = await work.wait((await start(work, harness.db, 'w')).id)
      assert.deepEqual(
        attempts,
        Array.from({ length: tries }, (_, i) => i + 1),
      )
      assert.equal(ended.state, code ? 'Failed' : 'Succeeded')
      assert.equal(ended.error?.code, code)
      if (says) assert.match(ended.error?.message ?? '', says)
      if (!code) assert.deepEqual(ended.result, { made: 1 })
      if (code === 'InternalServerError')
        assert.ok(
          harness.lines.some((line) => line.level === 'error' && 'err' in line.fields),
          'logged',
        )
    })
})

test('steps see the outputs before them, as JSON keeps them; the last output is the result', async () => {
  await using harness = await createHarness()
  const seen: unknown[] = []
  const keep = (context: StepContext<object>) => seen.push(structuredClone(context.outputs))
  const workflow: Workflow = {
    name: 'w',
    steps: [
      { name: 'a', run: async (context) => (keep(context), { x: 1, dropped: undefined }) },
      { name: 'b', run: async (context) => void keep(context) },
      { name: 'c', run: async (context) => (keep(context), [context.input['n'] ?? null]) },
    ],
  }
  const work = await harness.engine({ workflows: [workflow] })
  await work.run()
  const ended = await work.wait((await start(work, harness.db, 'w', { n: 7 })).id)
  assert.deepEqual(seen, [{}, { a: { x: 1 } }, { a: { x: 1 }, b: null }])
  assert.deepEqual(ended.result, [7])
  assert.equal(ended.step, 3)
  assert.ok(ended.endedMs)
})

suite('starting', () => {
  const counted = (): { workflow: Workflow; runs: string[] } => {
    const runs: string[] = []
    return { runs, workflow: { name: 'w', steps: [{ name: 's', run: async (c) => void runs.push(c.operationId) }] } }
  }

  test('a transaction that is rolled back starts nothing', async () => {
    await using harness = await createHarness()
    const { workflow, runs } = counted()
    const work = await harness.engine({ workflows: [workflow] })
    await work.run()
    let id = ''
    const request = { workflow: 'w', resourceKey: '/r', intent: 'create', subscriptionId: 's', location: 'l' } as const
    const broken = harness.db.transaction().execute(async (tx) => {
      id = (await work.start(tx, { ...request, createdBy: 'me', input: {} })).id
      work.wake()
      await systemClock.sleep(40) // more than a poll: an uncommitted row is nobody's
      throw new Error('no')
    })
    await assert.rejects(broken, { message: 'no' })
    work.wake()
    await work.wait((await start(work, harness.db, 'w')).id)
    assert.equal(await work.find(id), undefined)
    assert.equal(runs.length, 1)
  })

  test('the id is the one asked for; a second one with it is refused; an unknown workflow is a bug', async () => {
    await using harness = await createHarness()
    const { workflow } = counted()
    const work = await harness.engine({ workflows: [workflow] })
    const operation = await start(work, harness.db, 'w', {}, { id: 'mine' })
    assert.equal(operation.id, 'mine')
    assert.equal((await findRunningOperation(harness.db, '/r'))?.id, 'mine')
    await assert.rejects(start(work, harness.db, 'w', {}, { id: 'mine' }))
    await assert.rejects(start(work, harness.db, 'other'), /not registered/)
  })

  test('without a wake the poll finds it; a workflow that only another program knows is left to it', async () => {
    await using harness = await createHarness()
    const { workflow, runs } = counted()
    const other = await harness.engine({ workflows: [{ name: 'newer', steps: [] }] })
    const stranger = await start(other, harness.db, 'newer')
    const here = await harness.engine({ workflows: [workflow] })
    await here.run()
    const operation = await start(other, harness.db, 'newer').then(() => start(here, harness.db, 'w'))
    assert.equal((await other.wait(operation.id)).state, 'Succeeded')
    assert.deepEqual(runs, [operation.id])
    assert.equal((await here.find(stranger.id))?.state, 'InProgress')
    assert.ok(harness.lines.some((line) => line.level === 'warn' && line.message.includes('unknown')))
  })

  test('no more than `concurrency` run at once, and all come to their end', async () => {
    await using harness = await createHarness()
    const full = gate()
    let now = 0
    let most = 0
    const workflow: Workflow = {
      name: 'w',
      steps: [
        {
          name: 's',
          async run() {
            most = Math.max(most, ++now)
            if (now === 3) full.open()
            await full.opened
            await systemClock.sleep(3)
            now--
          },
        },
      ],
    }
    const work = await harness.engine({ workflows: [workflow], concurrency: 3, pollMs: 10_000 })
    await work.run()
    const started = await Promise.all(Array.from({ length: 12 }, () => start(work, harness.db, 'w')))
    await Promise.all(started.map(({ id }) => work.wait(id)))
    assert.equal(most, 3)
  })
})

/** Much sooner than a lease or a long poll: what waits for those is not told, it only finds out. */
const soon = (): AbortSignal => AbortSignal.timeout(4000)

suite('canceling', () => {
  const waiting = (reached: () => void, signals: AbortSignal[] = []): Workflow => ({
    name: 'w',
    steps: [
      {
        name: 'wait',
        async run({ signal }) {
          signals.push(signal)
          reached()
          await untilAborted(signal)
        },
      },
      { name: 'never', run: async () => assert.fail('a step after the cancellation') },
    ],
  })

  test('a running step is told at once, and the operation ends as Canceled through settle', async () => {
    await using harness = await createHarness()
    const there = gate()
    const signals: AbortSignal[] = []
    const outcomes: Outcome[] = []
    const workflow = {
      ...waiting(there.open, signals),
      settle: async (_: Tx, __: unknown, outcome: Outcome) => void outcomes.push(outcome),
    }
    const work = await harness.engine({ workflows: [workflow], pollMs: 10_000 })
    await work.run()
    const { id } = await start(work, harness.db, 'w')
    await there.opened
    await work.cancel(harness.db, id)
    const ended = await work.wait(id, soon())
    assert.equal(ended.state, 'Canceled')
    assert.equal(ended.error?.code, 'OperationCanceled')
    assert.ok(signals[0]?.reason instanceof Interrupt && signals[0].reason.kind === 'canceled')
    assert.deepEqual(
      outcomes.map((outcome) => outcome.state),
      ['Canceled'],
    )
  })

  test('asked in a transaction it counts from the commit; asked of another engine it is noticed too', async () => {
    await using harness = await createHarness()
    const there = gate()
    const runs = await harness.engine({ workflows: [waiting(there.open)], pollMs: 15 })
    const asks = await harness.engine({ workflows: [waiting(() => {})], owner: 'other' })
    await runs.run()
    const { id } = await start(runs, harness.db, 'w')
    await there.opened
    await assert.rejects(
      harness.db.transaction().execute(async (tx) => {
        await asks.cancel(tx, id)
        throw new Error('no')
      }),
    )
    await systemClock.sleep(40)
    assert.equal((await runs.find(id))?.state, 'InProgress')
    await harness.db.transaction().execute((tx) => asks.cancel(tx, id))
    assert.equal((await asks.wait(id, soon())).state, 'Canceled')
  })

  test('before it began, or between two attempts, no step runs any more', async () => {
    await using harness = await createHarness()
    let runs = 0
    const failing: Workflow = {
      name: 'w',
      steps: [
        {
          name: 's',
          async run() {
            runs++
            throw withCode('ECONNRESET')
          },
        },
      ],
    }
    const work = await harness.engine({ workflows: [failing], retry: { baseMs: 60_000, maxMs: 60_000 } })
    const early = await start(work, harness.db, 'w')
    await work.cancel(harness.db, early.id)
    await work.run()
    assert.equal((await work.wait(early.id, soon())).state, 'Canceled')
    assert.equal(runs, 0)
    const late = await start(work, harness.db, 'w')
    await eventually(async () => (await work.find(late.id))?.attempt === 1, 'the first attempt')
    await work.cancel(harness.db, late.id)
    assert.equal((await work.wait(late.id, soon())).state, 'Canceled')
    assert.equal(runs, 1)
  })

  test('a last step that was quicker succeeds; an ended operation stays as it is', async () => {
    await using harness = await createHarness()
    const there = gate()
    const go = gate()
    const deaf: Workflow = {
      name: 'w',
      steps: [
        {
          name: 's',
          async run() {
            there.open()
            await go.opened
            return 'done'
          },
        },
      ],
    }
    const work = await harness.engine({ workflows: [deaf] })
    await work.run()
    const { id } = await start(work, harness.db, 'w')
    await there.opened
    await work.cancel(harness.db, id)
    go.open()
    assert.equal((await work.wait(id, soon())).state, 'Succeeded')
    await work.cancel(harness.db, id)
    await systemClock.sleep(40)
    assert.equal((await work.find(id))?.state, 'Succeeded')
  })
})

suite('settling', () => {
  const step = { name: 's', run: async () => 'out' }

  test('the workflow, the resource and the operation end in one transaction', async () => {
    await using harness = await createHarness()
    const workflow: Workflow = {
      name: 'w',
      steps: [step],
      async settle(tx, operation, outcome) {
        await putSetting(tx, 'domain', `${operation.state} ${outcome.state}`)
      },
    }
    const work = await harness.engine({
      workflows: [workflow],
      async onSettled(tx, operation) {
        assert.equal(await findSetting(tx, 'domain'), 'Succeeded Succeeded')
        assert.equal((await work.find(operation.id))?.state, 'InProgress') // to others nothing has happened yet
        await putSetting(tx, 'resource', operation.id)
      },
    })
    await work.run()
    const { id } = await start(work, harness.db, 'w')
    await work.wait(id)
    assert.equal(await findSetting(harness.db, 'resource'), id)
  })

  const cases: {
    why: string
    fail: (outcome: Outcome, call: number) => Error | undefined
    code?: string
    domain: string
  }[] = [
    {
      why: 'a Problem turns success into failure',
      fail: (o) => (o.state === 'Succeeded' ? refused : undefined),
      code: 'Taken',
      domain: 'Failed',
    },
    {
      why: 'a transient error is tried again',
      fail: (_, call) => (call < 3 ? withCode('EBUSY') : undefined),
      domain: 'Succeeded',
    },
    {
      why: 'a bug once is tried again',
      fail: (_, call) => (call < 2 ? new TypeError('bug') : undefined),
      domain: 'Succeeded',
    },
    {
      why: 'a bug in success only ends as Failed',
      fail: (o) => (o.state === 'Succeeded' ? new TypeError('bug') : undefined),
      code: 'InternalServerError',
      domain: 'Failed',
    },
    {
      why: 'a bug always: the operation ends all the same',
      fail: () => new TypeError('bug'),
      code: 'InternalServerError',
      domain: 'untouched',
    },
  ]
  for (const { why, fail, code, domain } of cases)
    test(why, async () => {
      await using harness = await createHarness()
      let calls = 0
      const told: string[] = []
      const workflow: Workflow = {
        name: 'w',
        steps: [step],
        async settle(tx, _, outcome) {
          await putSetting(tx, 'domain', outcome.state)
          const error = fail(outcome, ++calls)
          if (error) throw error
        },
      }
      await putSetting(harness.db, 'domain', 'untouched')
      const work = await harness.engine({
        workflows: [workflow],
        onSettled: async (_, operation) => void told.push(operation.state),
      })
      await work.run()
      const ended = await work.wait((await start(work, harness.db, 'w')).id)
      assert.equal(ended.error?.code, code)
      assert.equal(ended.state, code ? 'Failed' : 'Succeeded')
      assert.equal(await findSetting(harness.db, 'domain'), domain)
      assert.deepEqual(told, [ended.state])
    })
})

test('the newest progress is stored with the end of a step, whatever it ends with', async () => {
  await using harness = await createHarness()
  const workflow: Workflow = {
    name: 'w',
    steps: [
      {
        name: 's',
        async run({ report, input }) {
          for (let i = 1; i <= 100; i++) report({ done: i })
          if (input['fail']) throw refused
        },
      },
    ],
  }
  const work = await harness.engine({ workflows: [workflow] })
  await work.run()
  for (const fail of [false, true]) {
    const ended = await work.wait((await start(work, harness.db, 'w', { fail })).id)
    assert.deepEqual(ended.progress, { done: 100 })
  }
})

test('wait: an unknown operation is a Problem, and the signal ends it', async () => {
  await using harness = await createHarness()
  const work = await harness.engine({ workflows: [{ name: 'w', steps: [] }] })
  await assert.rejects(work.wait('none'), (error) => error instanceof Problem && error.code === 'OperationNotFound')
  const { id } = await start(work, harness.db, 'w')
  const reason = new Error('enough')
  await assert.rejects(work.wait(id, AbortSignal.abort(reason)), reason)
  const later = new AbortController()
  const waiting = work.wait(id, later.signal)
  later.abort(reason)
  await assert.rejects(waiting, reason)
})

test('ended operations are forgotten by age, running ones never', async () => {
  await using harness = await createHarness()
  const work = await harness.engine({ workflows: [{ name: 'w', steps: [] }] })
  const left = await start(work, harness.db, 'w')
  assert.equal(await pruneOperations(harness.db, Number.MAX_SAFE_INTEGER, 10), 0)
  await work.run()
  const ended = await work.wait(left.id)
  assert.ok(ended.endedMs)
  assert.equal(await pruneOperations(harness.db, ended.endedMs - 1, 10), 0)
  assert.equal(await pruneOperations(harness.db, ended.endedMs, 10), 1)
  assert.equal(await work.find(left.id), undefined)
})

test('hundreds of small operations a second', async (t) => {
  await using harness = await createHarness()
  const workflow: Workflow = {
    name: 'w',
    steps: [
      { name: 'a', run: async () => 1 },
      { name: 'b', run: async () => 2 },
    ],
  }
  const work = await harness.engine({ workflows: [workflow] })
  await work.run()
  const beganMs = systemClock.now()
  const count = 300
  const started = await Promise.all(Array.from({ length: count }, () => start(work, harness.db, 'w')))
  await Promise.all(started.map(({ id }) => work.wait(id)))
  const perSecond = Math.round((count * 1000) / (systemClock.now() - beganMs))
  t.diagnostic(`${perSecond} operations of two steps per second`)
  assert.ok(perSecond > 10, `${perSecond}/s`) // far below what is usual: only a change of order should fail
})
