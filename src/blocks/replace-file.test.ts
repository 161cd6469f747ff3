import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceFile } from './replace-file.ts'

test('a full disk is told by name, and nothing stays behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-replace-'))
  try {
    const fill = async (): Promise<void> => {
      await using full = await open('/dev/full', 'w')
      await full.write('x')
    }
    const problem = { code: 'DiskSpaceExhausted', kind: 'storageFull', message: /disk\.vhd/ }
    await assert.rejects(replaceFile(join(folder, 'disk.vhd'), fill), problem)
    assert.deepEqual(await readdir(folder), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})
