import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { bootProbe, chooseAccelerator } from './accelerator-probe.ts'

const qemuPath = 'qemu-system-x86_64'
let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'goldleaf-accelerator-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const probe = (name: string, wanted: 'auto' | 'kvm' | 'tcg' = 'auto') => ({
  wanted,
  qemuPath,
  cacheFile: join(folder, name),
  clock: systemClock,
  logger: silentLogger,
})

test('the probe guest boots under software emulation', async () => {
  assert.deepEqual((await bootProbe(qemuPath, 'tcg', systemClock)).works, true)
})

test('a KVM that cannot boot a stock kernel is found out by the boot itself, and auto agrees with it', async (t) => {
  if (!(await stat('/dev/kvm').catch(() => undefined))) return t.skip('no /dev/kvm on this machine')
  const boot = await bootProbe(qemuPath, 'kvm', systemClock)
  const isPvm = (await stat('/sys/module/kvm_pvm').catch(() => undefined)) !== undefined
  if (isPvm) assert.equal(boot.works, false)
  const { accelerator } = await chooseAccelerator(probe('agree.json'))
  assert.equal(accelerator, boot.works ? 'kvm' : 'tcg')
})

test('the outcome is kept for this boot of the host only, and rubbish in the cache is no outcome', async () => {
  const { accelerator } = await chooseAccelerator(probe('kept.json'))
  const kept: unknown = JSON.parse(await readFile(join(folder, 'kept.json'), 'utf8'))
  assert.ok(typeof kept === 'object' && kept !== null && 'key' in kept)
  const other = accelerator === 'tcg' ? 'kvm' : 'tcg'
  await writeFile(join(folder, 'kept.json'), JSON.stringify({ ...kept, accelerator: other }))
  assert.equal((await chooseAccelerator(probe('kept.json'))).accelerator, other)
  await writeFile(join(folder, 'kept.json'), JSON.stringify({ ...kept, accelerator: other, key: 'an earlier boot' }))
  assert.equal((await chooseAccelerator(probe('kept.json'))).accelerator, accelerator)
  await writeFile(join(folder, 'kept.json'), '{"key"')
  assert.equal((await chooseAccelerator(probe('kept.json'))).accelerator, accelerator)
})

test('the configuration decides over the probe; a missing QEMU does not work and does not throw', async () => {
  assert.equal((await chooseAccelerator(probe('none.json', 'kvm'))).accelerator, 'kvm')
  const boot = await bootProbe('/nonexistent/qemu', 'tcg', systemClock)
  assert.equal(boot.works, false)
  assert.match(boot.said, /ENOENT/)
})
