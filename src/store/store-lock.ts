import koffi from 'koffi'
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { storeProblems } from './problems.ts'

const exclusive = 2
const nonBlocking = 4

type Flock = (fd: number, operation: number) => number

function loadFlock(): Flock {
  const library = process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6'
  return koffi.load(library).func('int flock(int fd, int operation)')
}

/**
 * Keeps a second server out of a store's folder. The kernel drops a flock with its process, however that ended, so
 * there are no stale locks; the pid inside is for the message only.
 */
export function lockStore(path: string, place: string): Disposable {
  const flock = loadFlock()
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640)
  if (flock(fd, exclusive | nonBlocking) !== 0) {
    const holder = readFileSync(path, 'utf8').trim()
    closeSync(fd)
    throw storeProblems.StorageInUse({ place, holder: /^\d+$/.test(holder) ? ` (process ${holder})` : '' })
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`, 0)
  return { [Symbol.dispose]: () => closeSync(fd) }
}
