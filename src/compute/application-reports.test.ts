import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { describeApplications, judgeApplications, parseReport, type ApplicationReport } from './application-reports.ts'
import type { VmApplication } from './vm-applications.ts'

const bytes = { region: 'westeurope', storageClass: 'Standard_LRS', root: 'r', sizeBytes: 1 } as const
const app = (name: string, failsDeployment = true): VmApplication => ({
  versionId: `/v/${name}`,
  name,
  version: '1.0.0',
  failsDeployment,
  packageName: name,
  configurationName: `${name}_config`,
  rerun: false,
  install: 'sh ./setup',
  package: bytes,
})
const said = (name: string, outcome: ApplicationReport['outcome'], more: object = {}): ApplicationReport => ({
  name,
  version: '1.0.0',
  action: 'install',
  outcome,
  exitCode: outcome === 'failed' ? 3 : undefined,
  output: outcome === 'failed' ? 'no space' : '',
  ...more,
})

suite('reports of applications', () => {
  const parsed = (query: string, text = ''): ApplicationReport | undefined =>
    parseReport(new URLSearchParams(query), text)

  test('are read from a query and a text; what is none is undefined', () => {
    const good = 'name=a.b-c_d&version=1.0.0&action=update&'
    assert.equal(parsed(`${good}exit=0`)?.outcome, 'done')
    assert.equal(parsed(`${good}exit=begun`)?.outcome, 'begun')
    assert.deepEqual(parsed(`${good}exit=7`, ` ${Buffer.from('é').toString('latin1')}\0\n`), {
      name: 'a.b-c_d',
      version: '1.0.0',
      action: 'update',
      outcome: 'failed',
      exitCode: 7,
      output: 'é',
    })
    assert.equal(parsed(`${good}exit=1`, 'x'.repeat(9_000))?.output.length, 2_000)
    for (const bad of ['', 'name=a&version=1.0.0&action=install', `${good}exit=-1`, `${good}exit=often`])
      assert.equal(parsed(bad), undefined, bad)
    for (const bad of ['name=a b', 'name=../a', 'name='])
      assert.equal(parsed(`${bad}&version=1.0.0&action=install&exit=0`), undefined, bad)
    assert.equal(parsed('name=a&version=1&action=install&exit=0'), undefined)
    assert.equal(parsed('name=a&version=1.0.0&action=run&exit=0'), undefined)
  })

  const waiting = { vmName: 'one', nowMs: 100_000, sinceMs: 0, timeoutMs: 90 * 60_000 }
  const late = { ...waiting, nowMs: waiting.timeoutMs }
  const cases = [
    { why: 'nothing was said yet', reports: [], at: waiting, ends: 'wait' },
    { why: 'one still works', reports: [said('a', 'done'), said('b', 'begun')], at: waiting, ends: 'wait' },
    { why: 'all are done', reports: [said('a', 'done'), said('b', 'done')], at: waiting, ends: 'done' },
    {
      why: 'a report of another version is none',
      reports: [said('a', 'done'), said('b', 'done', { version: '0.9.0' })],
      at: waiting,
      ends: 'wait',
    },
    { why: 'one failed, another works', reports: [said('a', 'failed'), said('b', 'begun')], at: waiting, ends: 'wait' },
    {
      why: 'one failed, all ended',
      reports: [said('a', 'failed'), said('b', 'skipped')],
      at: waiting,
      ends: 'VMExtensionProvisioningError',
      says: /a 1\.0\.0: Install FAILED .*'sh \.\/setup'.*status=3\nno space; b 1\.0\.0: Install Skipped/s,
    },
    {
      why: 'a failure is told though another took too long',
      reports: [said('a', 'failed'), said('b', 'begun')],
      at: late,
      ends: 'VMExtensionProvisioningError',
      says: /a 1\.0\.0/,
    },
    {
      why: 'it took too long',
      reports: [said('a', 'done'), said('b', 'begun')],
      at: late,
      ends: 'VMExtensionProvisioningTimeout',
      says: /b 1\.0\.0 did not end within 5400 s/,
    },
    {
      why: 'a guest that says nothing is given up after 20 minutes',
      reports: [],
      at: { ...waiting, nowMs: 20 * 60_000 },
      ends: 'VMAgentStatusCommunicationError',
      says: /'one' has not reported .* 1200 s/,
    },
    {
      why: 'the failure of one that is not to fail it does not matter',
      reports: [said('a', 'done'), said('b', 'done'), said('c', 'failed')],
      at: waiting,
      ends: 'done',
    },
  ] as const
  for (const { why, reports, at, ends, ...more } of cases)
    test(`judging: ${why}`, () => {
      const verdict = judgeApplications([app('a'), app('b'), app('c', false)], reports, at)
      assert.equal(verdict instanceof Problem ? verdict.code : verdict, ends)
      if ('says' in more) assert.match(verdict instanceof Problem ? verdict.message : '', more.says)
    })

  test('the instance view tells each outcome, and fails only where that was asked for', () => {
    const view = (isDecisive: boolean): string =>
      JSON.stringify(describeApplications([app('a', isDecisive), app('b')], [said('a', 'failed')], 'Linux'))
    assert.match(view(true), /ProvisioningState\/failed/)
    assert.match(view(false), /ProvisioningState\/transitioning.*Install FAILED.*Pending/)
    assert.deepEqual(describeApplications([], [said('a', 'done')], 'Linux'), [])
  })
})
