import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import { computeProblems } from '../problems.ts'
import type { VmDisk, VmSpec } from '../provider.ts'
import { diskDevice, diskDeviceId, diskNodes, driveDevice, driveNodes, slotsOf, type DiskNode } from './command-line.ts'
import type { Qmp } from './qmp.ts'

/** Disks that come and go while a machine runs: see `HypervisorProvider`. */
export interface HotPlug {
  plug(disk: VmDisk): Promise<void>
  unplug(lun: number, timeoutMs: number): Promise<void>
  replaceApplications(path: string, timeoutMs: number): Promise<void>
}

// A guest whose system is not up yet has not heard; asking once more does no harm.
const askAgainMs = 3_000
type Name = number | 'apps'

interface Place {
  readonly nodes: readonly DiskNode[]
  readonly slot: string | undefined
}

/** For one machine, from its start on. */
export function hotPlug(qmp: Qmp, spec: VmSpec, clock: Clock): HotPlug {
  const slots = slotsOf(spec)
  const places = placesOf(spec, slots)
  const deleted = new Map<string, () => void>()
  qmp.onEvent((name, data) => {
    if (name === 'DEVICE_DELETED' && typeof data['device'] === 'string') deleted.get(data['device'])?.()
  })

  /** Drops the layers, the topmost first; one that is not there is fine. */
  const dropNodes = async (nodes: readonly DiskNode[]): Promise<void> => {
    for (const node of nodes.toReversed())
      await qmp.run('blockdev-del', { 'node-name': node['node-name'] }).catch(() => {})
  }

  async function put(
    name: Name,
    nodes: readonly DiskNode[],
    device: (slot: string | undefined) => JsonObject,
  ): Promise<void> {
    const taken = [...places.values()].map(({ slot }) => slot)
    const slot = slots.find((one) => !taken.includes(one))
    try {
      if (slots.length > 0 && slot === undefined) throw new Error('all its slots are taken')
      for (const node of nodes) await qmp.run('blockdev-add', node)
      await qmp.run('device_add', device(slot))
    } catch (error) {
      await dropNodes(nodes)
      const reason = error instanceof Error ? error.message.replaceAll(/'?\/[^\s',:]+'?/g, '(path)') : String(error)
      throw computeProblems.DiskNotPlugged({ lun: String(name), reason }, { cause: error })
    }
    places.set(name, { nodes, slot })
  }

  async function take(name: Name, timeoutMs: number): Promise<void> {
    const place = places.get(name)
    if (!place) return
    const id = diskDeviceId(name)
    const gone = Promise.withResolvers<true>()
    deleted.set(id, () => gone.resolve(true))
    try {
      await askToRelease(id, gone.promise, timeoutMs)
    } finally {
      deleted.delete(id)
    }
    await dropNodes(place.nodes)
    places.delete(name)
  }

  async function askToRelease(id: string, gone: Promise<true>, timeoutMs: number): Promise<void> {
    const untilMs = clock.now() + timeoutMs
    for (;;) {
      // Refused where it is on its way out already, has gone since an earlier try gave up, or the machine ended.
      const refused = await qmp.run('device_del', { id }).then(
        () => '',
        (error: unknown) => String(error),
      )
      if (/not found|ended its control/.test(refused)) return
      const wait = new AbortController()
      const leftMs = Math.max(0, Math.min(askAgainMs, untilMs - clock.now()))
      const isGone = await Promise.race([gone, clock.sleep(leftMs, wait.signal).catch(() => false)])
      wait.abort()
      if (isGone === true) return
      if (clock.now() >= untilMs)
        throw computeProblems.DiskNotReleased({
          lun: id.replace('virtio-', ''),
          seconds: Math.round(timeoutMs / 1000),
        })
    }
  }

  return {
    plug: (disk) => put(Number(disk.lun), diskNodes(disk), (slot) => diskDevice(disk, slot)),
    unplug: take,
    async replaceApplications(path, timeoutMs) {
      await take('apps', timeoutMs)
      await put('apps', driveNodes('apps', path), (slot) => driveDevice('apps', slot))
    },
  }
}

/** What it starts with, as the command line places it. */
function placesOf({ disks, applicationsPath }: VmSpec, slots: readonly string[]): Map<Name, Place> {
  const first = disks.filter(({ lun }) => lun !== 'os').toSorted((a, b) => Number(a.lun) - Number(b.lun))
  const places = new Map<Name, Place>()
  for (const [index, disk] of first.entries())
    places.set(Number(disk.lun), { nodes: diskNodes(disk), slot: slots[index] })
  if (applicationsPath !== undefined)
    places.set('apps', { nodes: driveNodes('apps', applicationsPath), slot: slots.at(-1) })
  return places
}
