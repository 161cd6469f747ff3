// `npm test`: installs what the tests need, then runs them all with Node's own test runner.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toolConfig } from './config.ts'
import { ensureSystemPackages, packageSets } from './system-packages.mjs'

const folders = process.argv.slice(2)
try {
  ensureSystemPackages([...packageSets.qemu, ...packageSets.diskBuilding, ...packageSets.testing])
} catch (error) {
  process.stderr.write(`goldleaf: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
const patterns =
  folders.length > 0 ? folders.map((f) => `${f}/**/*.test.ts`) : ['src/**/*.test.ts', 'test/**/*.test.ts']
const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: toolConfig.root })).toSorted()
if (files.length === 0) {
  process.stderr.write(`goldleaf: no test file matches ${patterns.join(', ')}\n`)
  process.exit(1)
}
const traffic = mkdtempSync(join(tmpdir(), 'goldleaf-traffic-'))
const run = (args: readonly string[]): number => {
  const done = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...args], {
    cwd: toolConfig.root,
    stdio: 'inherit',
    env: {
      ...toolConfig.environment,
      GOLDLEAF_TRAFFIC: traffic,
      // Hundreds of processes load the same modules: types are stripped and code is compiled once.
      NODE_COMPILE_CACHE: join(traffic, 'compiled'),
      PATH: [join(toolConfig.root, 'node_modules/.bin'), ...toolConfig.path].join(':'),
    },
  })
  return done.status ?? 1
}
const recorder = `--import=${join(toolConfig.root, 'test/support/record-problems.ts')}`
const tests = run([recorder, '--test-concurrency=2', '--test-timeout=480000', ...files])
// Over what the tests just left: every request and answer against Azure's published schemas; every error code provoked.
const checks = ['test/openapi/published-contract.check.ts']
if (folders.length === 0) checks.push('test/wire/provoked-codes.check.ts')
const afterwards = run(checks)
rmSync(traffic, { recursive: true, force: true })
process.exit(tests === 0 ? afterwards : tests)
