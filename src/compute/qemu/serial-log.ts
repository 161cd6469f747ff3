import { open } from 'node:fs/promises'

// Azure keeps the last megabyte of a machine's serial log.
const keptBytes = 1024 * 1024
const trimAboveBytes = 4 * keptBytes

/**
 * Cuts a serial log that grew too long down to its end, in place: QEMU holds it open for appending. A guest that prints
 * without end must not fill the host's disk. What is printed in the instant between reading and cutting is lost.
 */
export async function trimSerialLog(path: string): Promise<void> {
  const file = await open(path, 'r+').catch(() => undefined)
  if (!file) return
  try {
    const { size } = await file.stat()
    if (size <= trimAboveBytes) return
    const { buffer } = await file.read(Buffer.alloc(keptBytes), 0, keptBytes, size - keptBytes)
    await file.truncate(0)
    await file.write(buffer, 0, buffer.length, 0)
  } finally {
    await file.close()
  }
}
