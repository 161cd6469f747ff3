import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { CodecNumber } from './frame-codec.ts'
import type { PackEntry } from './pack-format.ts'

/**
 * Where each frame of one folder store lies. Derived from the packs: it may be deleted or lose its newest rows in a
 * power loss, and is made again by scanning; so it never waits for the disk (WAL, synchronous normal, checkpoints in a
 * worker). A row may point into a pack that is gone: the folder store checks packs first.
 */
export interface FrameLocation {
  readonly pack: number
  readonly ordinal: number
  readonly offset: number
  readonly length: number
  readonly codec: CodecNumber
  readonly crc: number
}

/** `dying`: being deleted. */
export type PackState = 'live' | 'dying'

export interface PackRow {
  readonly id: number
  /** Bytes of the file whose frames are in the index; what lies behind is scanned on open. */
  readonly indexedBytes: number
  readonly sealed: boolean
  readonly state: PackState
  readonly frames: number
  readonly payloadBytes: number
}

export interface FrameIndex extends Disposable {
  find(name: Uint8Array): FrameLocation | undefined
  /** Rows for frames of one pack; a frame that has a row elsewhere gets this one. */
  insert(pack: number, entries: readonly PackEntry[]): void
  /** Deletes rows of these names that point into `pack`, nothing else. */
  remove(pack: number, names: readonly Uint8Array[]): void
  packs(): PackRow[]
  savePack(row: PackRow): void
  deletePack(id: number): void
  /** Frames known to be lost: a disk that has them is not trusted as a parent. */
  lostFrames(): Uint8Array[]
  saveLost(name: Uint8Array): void
  forgetLost(name: Uint8Array): void
  /** The frames of a pack that lie behind `fromOffset` vanished behind our back: no rows any more, but known as lost. */
  declareLost(pack: number, fromOffset: number): number
}

const schema = `
  create table if not exists pack (
    id integer primary key, indexed_bytes integer not null, sealed integer not null, state text not null,
    frames integer not null, payload_bytes integer not null) strict;
  create table if not exists frame (
    name blob primary key, pack integer not null, ordinal integer not null, offset integer not null,
    length integer not null, codec integer not null, crc integer not null) strict, without rowid;
  create table if not exists lost_frame (name blob primary key) strict, without rowid;
`
const formatVersion = 1

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 0')
    database.exec('pragma cache_size = -16000; pragma busy_timeout = 5000')
    const version = Number(database.prepare('pragma user_version').get()?.['user_version'] ?? 0)
    if (version !== 0 && version !== formatVersion) throw new Error('frame index of another version')
    database.exec(schema)
    database.exec(`pragma user_version = ${formatVersion}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens the index; a damaged one is thrown away, since the packs know everything that it knew. */
function openOrRebuild(path: string): DatabaseSync {
  try {
    return openDatabase(path)
  } catch (error) {
    // 11 corrupt, 26 not a database; a full disk or a missing right is no reason to throw the index away.
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
    const isOldVersion = error instanceof Error && error.message === 'frame index of another version'
    if (code !== 11 && code !== 26 && !isOldVersion) throw error
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    return openDatabase(path)
  }
}

type Row = Record<string, unknown>
const asNumber = (row: Row, column: string): number => Number(row[column])

function parsePackRow(row: Row): PackRow {
  const state = row['state']
  return {
    id: asNumber(row, 'id'),
    indexedBytes: asNumber(row, 'indexed_bytes'),
    sealed: asNumber(row, 'sealed') === 1,
    state: state === 'dying' ? 'dying' : 'live',
    frames: asNumber(row, 'frames'),
    payloadBytes: asNumber(row, 'payload_bytes'),
  }
}

export function openFrameIndex(path: string): FrameIndex {
  const database = openOrRebuild(path)
  const findOne = database.prepare('select pack, ordinal, offset, length, codec, crc from frame where name = ?')
  const insertOne = database.prepare(
    'insert or replace into frame (name, pack, ordinal, offset, length, codec, crc) values (?, ?, ?, ?, ?, ?, ?)',
  )
  const removeOne = database.prepare('delete from frame where name = ? and pack = ?')
  const savePack = database.prepare(
    'insert or replace into pack (id, indexed_bytes, sealed, state, frames, payload_bytes) values (?, ?, ?, ?, ?, ?)',
  )
  const inTransaction = (work: () => void): void => {
    database.exec('begin immediate')
    try {
      work()
      database.exec('commit')
    } catch (error) {
      database.exec('rollback')
      throw error
    }
  }
  return {
    find(name) {
      const row = findOne.get(name)
      if (row === undefined) return undefined
      return {
        pack: asNumber(row, 'pack'),
        ordinal: asNumber(row, 'ordinal'),
        offset: asNumber(row, 'offset'),
        length: asNumber(row, 'length'),
        codec: row['codec'] === 1 ? 1 : 0,
        crc: asNumber(row, 'crc'),
      }
    },
    insert(pack, entries) {
      // In the order of the key: neighbours share pages of the tree.
      const sorted = entries.toSorted((a, b) => Buffer.compare(a.name, b.name))
      inTransaction(() => {
        for (const { name, ordinal, offset, length, codec, crc } of sorted)
          insertOne.run(name, pack, ordinal, offset, length, codec, crc)
      })
    },
    remove(pack, names) {
      inTransaction(() => {
        for (const name of names) removeOne.run(name, pack)
      })
    },
    packs: () => database.prepare('select * from pack').all().map(parsePackRow),
    savePack: ({ id, indexedBytes, sealed, state, frames, payloadBytes }) => {
      savePack.run(id, indexedBytes, sealed ? 1 : 0, state, frames, payloadBytes)
    },
    deletePack: (id) => {
      database.prepare('delete from pack where id = ?').run(id)
    },
    lostFrames: () =>
      database
        .prepare('select name from lost_frame')
        .all()
        .flatMap((row) => (row['name'] instanceof Uint8Array ? [row['name']] : [])),
    saveLost: (name) => {
      database.prepare('insert or ignore into lost_frame (name) values (?)').run(name)
    },
    forgetLost: (name) => {
      database.prepare('delete from lost_frame where name = ?').run(name)
    },
    declareLost(pack, fromOffset) {
      let lost = 0
      inTransaction(() => {
        const where = 'from frame where pack = ? and offset + length > ?'
        database.prepare(`insert or ignore into lost_frame (name) select name ${where}`).run(pack, fromOffset)
        lost = Number(database.prepare(`delete ${where}`).run(pack, fromOffset).changes)
      })
      return lost
    },
    [Symbol.dispose]: () => database.close(),
  }
}

/** Moves the write-ahead log into the database. It waits for the disk: only workers call it. */
export function checkpointFrameIndex(path: string): void {
  const database = new DatabaseSync(path)
  try {
    database.exec('pragma busy_timeout = 0; pragma wal_checkpoint(passive)')
  } catch (error) {
    // 5 busy: the next sealed pack asks again, and closing the index does it too.
    if (!(error instanceof Error && 'errcode' in error && error.errcode === 5)) throw error
  } finally {
    database.close()
  }
}
