import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Clock, systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { eventually, gate, untilAborted } from './harness.fixture.ts'
import { createProgressWriter } from './progress.ts'
import { createSchedules } from './schedules.ts'

suite('schedules', () => {
  test('run again and again, also after an error, which is logged', async () => {
    const errors: string[] = []
    const logger = { ...silentLogger, error: (_: object, message: string) => void errors.push(message) }
    const schedules = createSchedules({ clock: systemClock, logger })
    let runs = 0
    schedules.every('sweep', 5, async () => {
      if (++runs === 1) throw new Error('once')
    })
    schedules.start()
    await eventually(() => runs >= 3, 'three runs')
    await schedules.stop('over')
    assert.deepEqual(errors, ['scheduled work failed'])
    const after = runs
    await systemClock.sleep(20)
    assert.equal(runs, after)
  })

  test('one that is added late runs too; stopping aborts what runs and waits for it', async () => {
    const schedules = createSchedules({ clock: systemClock, logger: silentLogger })
    schedules.start()
    const there = gate()
    let isOver = false
    schedules.every('sweep', 1, async (signal) => {
      there.open()
      await untilAborted(signal).catch(() => {})
      await systemClock.sleep(10)
      isOver = true
    })
    await there.opened
    await schedules.stop('over')
    assert.ok(isOver)
  })

  test('the first run of a rare one does not wait for its whole interval', async () => {
    const waits: number[] = []
    const clock: Clock = {
      now: () => 0,
      async sleep(ms, signal) {
        waits.push(ms)
        if (waits.length > 2) await systemClock.sleep(10_000, signal)
      },
    }
    const schedules = createSchedules({ clock, logger: silentLogger })
    schedules.every('weekly', 7 * 24 * 3_600_000, async () => {})
    schedules.start()
    await eventually(() => waits.length === 3, 'two runs')
    await schedules.stop('over')
    assert.deepEqual(waits.slice(0, 2), [60_000, 7 * 24 * 3_600_000])
  })
})

suite('progress', () => {
  test('however often it is reported, one write in the interval, and the newest is known at the end', async () => {
    const written: unknown[] = []
    const progress = createProgressWriter({
      clock: systemClock,
      intervalMs: 40,
      initial: {},
      write: async (latest) => void written.push(latest['n']),
    })
    const beganMs = systemClock.now()
    let n = 0
    while (systemClock.now() - beganMs < 140) {
      progress.report({ n: ++n })
      await systemClock.sleep(1)
    }
    await progress.quiet()
    assert.equal(written[0], 1, 'the first at once')
    assert.ok(written.length >= 2 && written.length <= 5, `${written.length} writes`)
    assert.deepEqual(progress.latest, { n })
    await systemClock.sleep(60)
    assert.ok(written.length <= 5, 'none after it is quiet')
  })

  test('quiet waits for the write that is under way', async () => {
    const [began, go] = [gate(), gate()]
    let isWritten = false
    const progress = createProgressWriter({
      clock: systemClock,
      intervalMs: 10,
      initial: {},
      async write() {
        began.open()
        await go.opened
        isWritten = true
      },
    })
    progress.report({ n: 1 })
    await began.opened
    const quiet = progress.quiet()
    go.open()
    await quiet
    assert.ok(isWritten)
  })
})
