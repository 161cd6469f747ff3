import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { FrameIndex, PackRow } from './frame-index.ts'
import { scanPack } from './pack-scan.ts'
import { packIdOf, packPath } from './pack-writer.ts'
import { yieldTurn } from './yield-turn.ts'

const rowsPerTurn = 256

async function indexPack(folder: string, id: number, row: PackRow | undefined, index: FrameIndex): Promise<PackRow> {
  const path = packPath(folder, id)
  const from = row?.indexedBytes ?? 0
  const found = await scanPack(path, id, row?.frames ?? 0, from)
  const size = statSync(path).size
  const isWhole = found !== undefined && found.sealed
  const known: PackRow = row ?? { id, indexedBytes: 0, sealed: false, state: 'live', frames: 0, payloadBytes: 0 }
  if (!found) return { ...known, sealed: true }
  for (let at = 0; at < found.entries.length; at += rowsPerTurn) {
    index.insert(id, found.entries.slice(at, at + rowsPerTurn))
    await yieldTurn()
  }
  // A torn tail is cut off; a pack that was open in a process that is gone is never written again.
  if (!isWhole && found.endBytes < size) truncateSync(path, found.endBytes)
  const lastOrdinal = found.entries.at(-1)?.ordinal ?? -1
  const payload = found.entries.reduce((sum, entry) => sum + entry.length, 0)
  return {
    ...known,
    indexedBytes: found.endBytes,
    sealed: true,
    frames: Math.max(known.frames, lastOrdinal + 1),
    payloadBytes: isWhole ? payload : known.payloadBytes + payload,
  }
}

/**
 * Brings the index up to what the packs hold: scans what was written after the last commit of the index (all of it,
 * if the index was lost), ends deletions that were begun, and declares lost what vanished.
 */
export async function reconcilePacks(
  folder: string,
  index: FrameIndex,
  logger: Logger,
  place: string,
): Promise<Map<number, PackRow>> {
  const rows = new Map(index.packs().map((row) => [row.id, row]))
  const packs = new Map<number, PackRow>()
  for (const fileName of readdirSync(folder)) {
    const id = packIdOf(fileName)
    if (id === undefined) continue
    const row = rows.get(id)
    rows.delete(id)
    if (row?.state === 'dying') {
      rmSync(join(folder, fileName), { force: true })
      index.deletePack(id)
      continue
    }
    const size = statSync(join(folder, fileName)).size
    const isShort = row !== undefined && size < row.indexedBytes
    if (isShort) {
      const lost = index.declareLost(id, size)
      logger.error({ place, pack: id, lost }, 'pack was cut short: its lost frames must come from another copy')
    }
    if (row?.sealed && !isShort) {
      packs.set(id, row)
      continue
    }
    const scanned = await indexPack(folder, id, isShort ? undefined : row, index)
    logger.info({ place, pack: id, frames: scanned.frames }, 'pack was scanned into the frame index')
    index.savePack(scanned)
    packs.set(id, scanned)
  }
  for (const row of rows.values()) {
    if (row.state === 'live') {
      const lost = index.declareLost(row.id, 0)
      logger.error({ place, pack: row.id, lost }, 'pack is gone: its frames must come from another copy')
    }
    index.deletePack(row.id)
  }
  return packs
}
