import { MultiBar, Presets } from 'cli-progress'
import type { Output } from './context.ts'

/** Progress of several things at once: bars for people, a line for every tenth part where nobody looks. */
export interface Progress extends Disposable {
  /** Sets one thing's progress; `note` stands behind the bar (speed, state). Never goes back. */
  update(name: string, fraction: number, note?: string): void
  /** Leaves the bars as they are and ends drawing. */
  stop(): void
}

export function createProgress(output: Output): Progress {
  const progress = output.isTTY === true ? barProgress(output) : lineProgress(output)
  let isStopped = false
  // Twice on most roads: at the end of the work and when its scope ends. A second stop would draw the bars again.
  const stop = (): void => {
    if (!isStopped) progress.stop()
    isStopped = true
  }
  return { update: (name, fraction, note) => progress.update(name, fraction, note), stop, [Symbol.dispose]: stop }
}

type Drawing = Pick<Progress, 'update' | 'stop'>

function barProgress(output: Output): Drawing {
  const format = '{name} [{bar}] {percentage} %  {note}'
  // cli-progress draws on a tty.WriteStream, which our output is whenever isTTY is true.
  const stream = output as NodeJS.WritableStream
  const options = { format, stream, hideCursor: true, clearOnComplete: false, forceRedraw: true, emptyOnZero: true }
  const bars = new MultiBar(options, Presets.shades_classic)
  const known = new Map<string, ReturnType<MultiBar['create']>>()
  return {
    update(name, fraction, note = '') {
      const percent = percentOf(fraction)
      const bar = known.get(name) ?? bars.create(100, 0, { name: name.padEnd(16), note })
      known.set(name, bar)
      bar.update(Math.max(percent, bar.getProgress() * 100), { name: name.padEnd(16), note })
    },
    stop: () => bars.stop(),
  }
}

function lineProgress(output: Output): Drawing {
  const shown = new Map<string, number>()
  return {
    update(name, fraction, note = '') {
      const percent = percentOf(fraction)
      const last = shown.get(name)
      const step = percent === 100 ? 100 : percent - (percent % 10)
      if (last !== undefined && step <= last) return
      shown.set(name, step)
      output.write(`${name}: ${percent} %${note === '' ? '' : `  ${note}`}\n`)
    },
    stop() {},
  }
}

function percentOf(fraction: number): number {
  return Math.floor(Math.min(Math.max(Number.isFinite(fraction) ? fraction : 0, 0), 1) * 100)
}
