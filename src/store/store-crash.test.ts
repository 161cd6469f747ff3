import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createDiskStores } from './disk-stores.ts'
import { crashDisk } from './store-crash.fixture.ts'
import { bytesOf, createTestFolder, findTestKey, readAll, seeded, testRegion, testVault } from './store.fixture.ts'
import { inVault } from './vault.ts'

const runs: readonly { readonly label: string; readonly kills: number; readonly vault: string | undefined }[] = [
  { label: 'plain', kills: 10, vault: undefined },
  { label: 'encrypted', kills: 6, vault: testVault },
]

/**
 * Lets a child work for a while after it said `awaited`, kills it, and answers what it said. A child on a busy machine
 * says nothing for long: what must have happened before the kill is waited for, not hoped for.
 */
async function runAndKill(
  folder: string,
  vault: string | undefined,
  firstSeed: number,
  keep: readonly string[],
  awaited: RegExp,
  waitMs: number,
): Promise<string[]> {
  const script = fileURLToPath(new URL('store-crash.fixture.ts', import.meta.url))
  const facts = [folder, String(firstSeed), keep.join(','), ...(vault === undefined ? [] : [vault])]
  const child = spawn(process.execPath, [script, ...facts], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      if (awaited.test(said)) resolve()
    })
  })
  await Promise.race([ready, ended])
  await sleep(waitMs)
  child.kill('SIGKILL')
  assert.equal(await ended, null, 'the child must live until it is killed')
  // The last line may be torn: then nothing was promised.
  return said.slice(0, said.lastIndexOf('\n') + 1).split('\n')
}

for (const { label, kills, vault } of runs)
  test(`${label}: killed ${kills} times at random moments, nothing acknowledged is lost`, async (context) => {
    const seed = context.name.length * 7919
    const random = seeded(seed)
    using folder = createTestFolder()
    const promised = { lrs: new Map<string, number>(), zrs: new Map<string, number>() }
    let nextSeed = 1
    for (let kill = 0; kill < kills; kill += 1) {
      const keep = [...new Set([...promised.lrs.keys(), ...promised.zrs.keys()])]
      // Every other child is killed at work that nothing was acknowledged of yet.
      const awaited = kill % 2 === 0 ? /ready\n/ : /^ack lrs [^]*^ack zrs |^ack zrs [^]*^ack lrs /m
      const lines = await runAndKill(folder.path, vault, nextSeed, keep, awaited, 20 + random() * 350)
      for (const line of lines) {
        const [word, a = '', b = '', root = ''] = line.split(' ')
        if (word === 'ack') {
          promised[a === 'zrs' ? 'zrs' : 'lrs'].set(root, Number(b))
          nextSeed = Math.max(nextSeed, Number(b) + 1)
        }
        if (word === 'drop') for (const one of Object.values(promised)) one.delete(a)
      }
      await using stores = await createDiskStores({
        regions: [testRegion(folder.path, 'here')],
        workers: 1,
        findVaultKey: findTestKey,
      })
      for (const [name, disks] of Object.entries(promised)) {
        const store = stores.store('here', inVault(name === 'zrs' ? 'Standard_ZRS' : 'Standard_LRS', vault))
        for (const [root, diskSeed] of disks) {
          await using opened = await store.open(root)
          const isSame = bytesOf(crashDisk(diskSeed)).equals(await readAll(opened))
          assert.ok(isSame, `seed ${seed}, kill ${kill}: ${name} disk ${diskSeed}`)
        }
      }
      nextSeed += 1
    }
    assert.ok(promised.lrs.size > 0 && promised.zrs.size > 0, 'something was acknowledged between the kills')
  })
