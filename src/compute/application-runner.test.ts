import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { installScript } from './application-runner.ts'

const run = promisify(execFile)

interface OnDrive {
  readonly name: string
  readonly version: string
  readonly rerun?: boolean
  readonly order?: number
  readonly install?: string
  readonly update?: string
  readonly remove?: string
}

/** The program of the drive, run by this machine's own sh on a folder instead of a drive. */
suite('install.sh', () => {
  let folder = ''
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'goldleaf-runner-'))))
  after(() => rm(folder, { recursive: true, force: true }))
  let drives = 0
  let reports = ''

  /** What is told at an address, as `name version action exit text`. */
  async function listen(): Promise<AsyncDisposable & { readonly told: string[] }> {
    const told: string[] = []
    const server = createServer((request, response) => {
      const query = new URLSearchParams(request.url?.split('?')[1])
      void text(request).then((body) => {
        told.push([...query.values(), body].join(' ').trim())
        response.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    reports = `http://127.0.0.1:${port}/`
    return {
      told,
      async [Symbol.asyncDispose]() {
        reports = ''
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  async function boot(home: string, applications: readonly OnDrive[]): Promise<{ code: number; said: string[] }> {
    const drive = join(folder, `drive${(drives += 1)}`)
    await mkdir(drive)
    const put = (name: string, text: string): Promise<void> => writeFile(join(drive, name), `${text}\n`)
    await put('install.sh', installScript)
    await put('list', applications.map((_, index) => `0${index}`).join('\n'))
    for (const [index, one] of applications.entries()) {
      const n = `0${index}`
      await put(
        `${n}-info`,
        [one.name, one.version, 'a package', 'a config', one.rerun ? 'Rerun' : 'None', String(one.order ?? '')].join(
          '\n',
        ),
      )
      await put(`${n}-package`, `bytes of ${one.name}`)
      for (const action of ['install', 'update', 'remove'] as const) {
        const command = one[action]
        if (command !== undefined) await put(`${n}-${action}`, command)
      }
    }
    const options = { env: { ...process.env, GOLDLEAF_APPS: join(folder, home), GOLDLEAF_REPORTS: reports } }
    return run('/bin/sh', [join(drive, 'install.sh')], options).then(
      ({ stdout }) => ({ code: 0, said: lines(stdout) }),
      (error: { code: number; stdout: string }) => ({ code: error.code, said: lines(error.stdout) }),
    )
  }
  const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

  test('installs in order, once, in a folder of its own where the package has its name', async () => {
    const both = [
      { name: 'b', version: '1.0.0', install: 'cat "a package"' },
      { name: 'a', version: '2.0.0', install: 'basename "$PWD"' },
    ]
    const said = ['bytes of b', 'goldleaf-apps: b 1.0.0: install done', '2.0.0', 'goldleaf-apps: a 2.0.0: install done']
    assert.deepEqual(await boot('once', both), { code: 0, said })
    assert.deepEqual(await boot('once', both), { code: 0, said: [] })
  })

  test('another version runs its update command, or the old remove and its install', async () => {
    const old = { name: 'a', version: '1.0.0', remove: 'echo removed 1' }
    await boot('update', [old])
    const updated = await boot('update', [{ name: 'a', version: '1.1.0', update: 'echo updated', install: 'echo no' }])
    assert.deepEqual(updated.said, ['updated', 'goldleaf-apps: a 1.1.0: update done'])
    await boot('replace', [old])
    const replaced = await boot('replace', [{ name: 'a', version: '1.1.0', install: 'echo installed' }])
    assert.deepEqual(replaced.said, ['removed 1', 'installed', 'goldleaf-apps: a 1.1.0: install done'])
  })

  test('what is no longer listed is removed, whatever its command says once more', async () => {
    await boot('remove', [{ name: 'a', version: '1.0.0', remove: 'echo bye' }])
    assert.deepEqual((await boot('remove', [])).said, ['bye', 'goldleaf-apps: a removed'])
    assert.deepEqual((await boot('remove', [])).said, [])
  })

  test('a failure keeps to its application, and is repeated only where the version says so', async () => {
    const failing = { name: 'a', version: '1.0.0', install: 'echo try >>../tries; exit 3' }
    const good = { name: 'b', version: '1.0.0', install: 'true' }
    const first = await boot('fail', [failing, good])
    assert.deepEqual(first, {
      code: 1,
      said: ['goldleaf-apps: a 1.0.0: install failed with exit code 3', 'goldleaf-apps: b 1.0.0: install done'],
    })
    assert.match((await boot('fail', [failing, good])).said[0] ?? '', /was begun before and did not end/)
    assert.equal((await boot('fail', [{ ...failing, rerun: true }, good])).code, 1)
    assert.deepEqual(lines(await readFile(join(folder, 'fail/a/tries'), 'utf8')), ['try', 'try'])
    // As on Azure: taken off the list and named again, it is tried again.
    await boot('fail', [good])
    await boot('fail', [failing, good])
    assert.equal(lines(await readFile(join(folder, 'fail/a/tries'), 'utf8')).length, 3)
  })

  test('every outcome is told: begun, done, failed with its words, skipped behind a lower order, removed', async () => {
    await using server = await listen()
    const all: OnDrive[] = [
      { name: 'a', version: '1.0.0', order: 1, install: 'true', remove: 'echo no >&2; exit 9' },
      { name: 'b', version: '1.0.0', order: 2, install: 'echo "it is @broken" >&2; exit 4' },
      { name: 'c', version: '1.0.0', order: 2 },
      { name: 'd', version: '1.0.0', order: 3, install: 'touch ../d-ran' },
      { name: 'e', version: '1.0.0' },
    ]
    assert.equal((await boot('told', all)).code, 1)
    assert.deepEqual(server.told, [
      'a 1.0.0 install begun',
      'a 1.0.0 install 0',
      'b 1.0.0 install begun',
      'b 1.0.0 install 4 it is @broken',
      'c 1.0.0 install begun',
      'c 1.0.0 install 0',
      'd 1.0.0 install skipped',
      'e 1.0.0 install begun',
      'e 1.0.0 install 0',
    ])
    server.told.length = 0
    await boot('told', all.slice(2, 3))
    assert.deepEqual(server.told, [
      'a 1.0.0 remove begun',
      'a 1.0.0 remove 9 no',
      'e 1.0.0 remove begun',
      'e 1.0.0 remove 0',
      'c 1.0.0 install 0',
    ])
  })

  test('an older version can come back', async () => {
    const at = (version: string): OnDrive => ({ name: 'a', version, install: `echo install ${version}` })
    for (const version of ['1.0.0', '2.0.0', '1.0.0'])
      assert.equal((await boot('back', [at(version)])).said[0], `install ${version}`)
  })
})
