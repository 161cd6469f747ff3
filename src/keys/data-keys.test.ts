import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { openDataKeys } from './data-keys.ts'
import { keyNameOf } from './key-address.ts'

const folder = mkdtempSync(join(tmpdir(), 'goldleaf-keys-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const isGone = (says: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === 'DiskEncryptionKeyUnavailable' && says.test(error.message)

const vault = 'a'.repeat(32)
const keysFolder = join(folder, 'keys')
const open = () => openDataKeys(join(folder, 'data-keys'), keysFolder)
const keyFile = (name: string): string => join(keysFolder, `${name}.key`)

test('a data key is made once, outlives a restart and a rotation, and rests wrapped, for its owner only', async () => {
  const keys = open()
  await keys.put(vault, 'first')
  const made = Buffer.from(await keys.find(vault))
  assert.equal(made.length, 32)
  await keys.put(vault, 'first')
  assert.ok(made.equals(await keys.find(vault)), 'a step that runs twice changes nothing')
  await keys.put(vault, 'second')
  assert.ok(made.equals(await keys.find(vault)))
  assert.ok(made.equals(await open().find(vault)))
  for (const path of [keyFile('first'), keyFile('second'), join(folder, 'data-keys', vault)])
    assert.equal(statSync(path).mode & 0o777, 0o600, path)
  assert.ok(!readFileSync(join(folder, 'data-keys', vault), 'utf8').includes(made.toString('base64')))
  await keys.put('b'.repeat(32), 'second')
  assert.ok(!made.equals(await keys.find('b'.repeat(32))), 'one for each set')
})

test('a key that is gone or another is said to be so at once, is not made again, and comes back', async () => {
  const keys = open()
  const made = Buffer.from(await keys.find(vault))
  renameSync(keyFile('second'), join(folder, 'away'))
  await assert.rejects(keys.find(vault), isGone(/'second'.*not in the folder/))
  await assert.rejects(keys.put(vault, 'third'), isGone(/'second'/))
  writeFileSync(keyFile('second'), 'no key')
  await assert.rejects(keys.find(vault), isGone(/'second'/))
  writeFileSync(keyFile('second'), '0'.repeat(64))
  await assert.rejects(keys.find(vault), isGone(/another under its name/))
  renameSync(join(folder, 'away'), keyFile('second'))
  assert.ok(made.equals(await keys.find(vault)))
  await keys.drop(vault)
  await keys.drop(vault)
  await assert.rejects(keys.find(vault), isGone(/set is gone/))
})

for (const [url, name] of [
  ['https://keys.goldleaf/keys/golden/1', 'golden.1'],
  ['https://keys.goldleaf/keys/golden', 'golden'],
  ['https://Mine.vault.azure.net/keys/k/abc', 'mine.vault.azure.net.k.abc'],
  ['https://other.vault.azure.net/keys/k/abc', undefined],
  ['http://keys.goldleaf/keys/golden/1', undefined],
  ['https://keys.goldleaf/keys/..%2f..%2fx', undefined],
  ['https://keys.goldleaf/secrets/golden', undefined],
  ['golden', undefined],
] as const)
  test(`key address ${url}`, () => {
    if (name === undefined) assert.throws(() => keyNameOf(url, ['mine.vault.azure.net']), Problem)
    else assert.equal(keyNameOf(url, ['mine.vault.azure.net']), name)
  })
