import type { Clock } from '../../base/clock.ts'
import { computeProblems } from '../problems.ts'
import type { VmDisk, VmSpec } from '../provider.ts'
import { diskDevice, diskDeviceId, diskNodes, slotsOf } from './command-line.ts'
import type { Qmp } from './qmp.ts'

/** Data disks that come and go while a machine runs: see `HypervisorProvider.plug` and `unplug`. */
export interface HotPlug {
  plug(disk: VmDisk): Promise<void>
  unplug(lun: number, timeoutMs: number): Promise<void>
}

// A guest whose system is not up yet has not heard; asking once more does no harm.
const askAgainMs = 3_000

/** For one machine, from its start on. */
export function hotPlug(qmp: Qmp, spec: VmSpec, clock: Clock): HotPlug {
  const slots = slotsOf(spec)
  const first = spec.disks.filter(({ lun }) => lun !== 'os').toSorted((a, b) => Number(a.lun) - Number(b.lun))
  const places = new Map(first.map((disk, index) => [disk.lun, { disk, slot: slots[index] }]))
  const deleted = new Map<string, () => void>()
  qmp.onEvent((name, data) => {
    if (name === 'DEVICE_DELETED' && typeof data['device'] === 'string') deleted.get(data['device'])?.()
  })

  /** Drops the layers, the topmost first; one that is not there is fine. */
  const dropNodes = async (disk: VmDisk): Promise<void> => {
    for (const node of diskNodes(disk).toReversed())
      await qmp.run('blockdev-del', { 'node-name': node['node-name'] }).catch(() => {})
  }

  return {
    async plug(disk) {
      const taken = [...places.values()].map(({ slot }) => slot)
      const slot = slots.find((one) => !taken.includes(one))
      try {
        if (slots.length > 0 && slot === undefined) throw new Error('all its slots are taken')
        for (const node of diskNodes(disk)) await qmp.run('blockdev-add', node)
        await qmp.run('device_add', diskDevice(disk, slot))
      } catch (error) {
        await dropNodes(disk)
        const reason = error instanceof Error ? error.message.replaceAll(/'?\/[^\s',:]+'?/g, '(path)') : String(error)
        throw computeProblems.DiskNotPlugged({ lun: Number(disk.lun), reason }, { cause: error })
      }
      places.set(disk.lun, { disk, slot })
    },
    async unplug(lun, timeoutMs) {
      const place = places.get(lun)
      if (!place) return
      const id = diskDeviceId(lun)
      const gone = Promise.withResolvers<true>()
      deleted.set(id, () => gone.resolve(true))
      const untilMs = clock.now() + timeoutMs
      try {
        for (;;) {
          // Refused where it is on its way out already, has gone since an earlier try gave up, or the machine ended.
          const refused = await qmp.run('device_del', { id }).then(
            () => '',
            (error: unknown) => String(error),
          )
          if (/not found|ended its control/.test(refused)) break
          const wait = new AbortController()
          const leftMs = Math.max(0, Math.min(askAgainMs, untilMs - clock.now()))
          const late = clock.sleep(leftMs, wait.signal).catch(() => false)
          const isGone = await Promise.race([gone.promise, late])
          wait.abort()
          if (isGone === true) break
          if (clock.now() >= untilMs)
            throw computeProblems.DiskNotReleased({ lun, seconds: Math.round(timeoutMs / 1000) })
        }
      } finally {
        deleted.delete(id)
      }
      await dropNodes(place.disk)
      places.delete(lun)
    },
  }
}
