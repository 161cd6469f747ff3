import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { createDiskStores } from './disk-stores.ts'
import { changeDisk, findTestKey, randomDisk, seeded, testRegion, writeDisk, type ModelDisk } from './store.fixture.ts'
import { inVault } from './vault.ts'

/**
 * The child of the crash test: stores, replicates and sweeps disks until it is killed. It says what it has been
 * promised (`ack`) and what it gives up (`drop`, before the sweep) on its standard output, without buffering.
 */
export interface CrashPlan {
  readonly folder: string
  /** Seeds of disks to make, one after the other. */
  readonly firstSeed: number
  /** Keeps everything in this vault. */
  readonly vault: string | undefined
}

const base = randomDisk(seeded(4711), 220, 0.5)

/** The disk of a seed: a small change of one base disk, or one of its own. */
export function crashDisk(seed: number): ModelDisk {
  const random = seeded(seed)
  return seed % 3 === 0 ? randomDisk(random, 150, 0.6) : changeDisk(random, base, 25)
}

const say = (line: string): void => void writeSync(1, `${line}\n`)

/** Runs until it is killed. */
async function runCrashChild({ folder, firstSeed, vault }: CrashPlan): Promise<void> {
  const stores = await createDiskStores({
    regions: [testRegion(folder, 'here')],
    workers: 1,
    findVaultKey: findTestKey,
  })
  const lrs = stores.store('here', inVault('Standard_LRS', vault))
  const zrs = stores.store('here', inVault('Standard_ZRS', vault))
  const live = new Map<number, string>()
  let parentRoot: string | undefined
  say('ready')
  for (let seed = firstSeed; ; seed += 1) {
    const path = join(folder, `image${seed % 2}.raw`)
    await writeDisk(path, crashDisk(seed))
    const stored = await lrs.ingest({ path }, { parentRoot })
    say(`ack lrs ${seed} ${stored.root}`)
    const copy = await zrs.receive(lrs, stored.root, { parentRoot })
    say(`ack zrs ${seed} ${stored.root}`)
    live.set(seed, stored.root)
    parentRoot = stored.root
    stored.pin[Symbol.dispose]()
    copy.pin[Symbol.dispose]()
    if (seed % 4 !== 0) continue
    const [oldest] = live.keys()
    if (oldest === undefined || oldest === seed) continue
    say(`drop ${live.get(oldest)}`)
    live.delete(oldest)
    // Disks of earlier lives are not known here: the parent keeps a list of what must stay.
    const keep = new Set([...live.values(), ...keepFromArguments()])
    await lrs.sweep(keep)
    await zrs.sweep(keep)
  }
}

function keepFromArguments(): string[] {
  return (process.argv[4] ?? '').split(',').filter((root) => root !== '')
}

if (process.argv[2] !== undefined && process.argv[1]?.endsWith('store-crash.fixture.ts'))
  await runCrashChild({ folder: process.argv[2], firstSeed: Number(process.argv[3]), vault: process.argv[5] })
