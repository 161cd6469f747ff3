// `npm run check`: types, lint, format, tests. Each prints its own findings; the first failure ends the run.
import { spawnSync } from 'node:child_process'
import { toolConfig } from './config.ts'

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['tsc', ['-p', '.']],
  ['oxlint', ['--type-aware']],
  ['oxfmt', ['--check', '.']],
  ['node', ['tools/test.ts']],
]
for (const [program, args] of steps) {
  process.stderr.write(`> ${program} ${args.join(' ')}\n`)
  const done = spawnSync(program, args, { cwd: toolConfig.root, stdio: 'inherit', env: toolConfig.environment })
  if (done.status !== 0) process.exit(done.status ?? 1)
}
