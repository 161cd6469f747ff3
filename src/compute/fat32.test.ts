import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { planDrive } from './fat32.ts'

const run = promisify(execFile)
const environment = { ...process.env, LC_ALL: 'C' }

/** Writes a drive as its planner says and answers its path. */
async function write(folder: string, contents: Readonly<Record<string, Buffer>>): Promise<string> {
  const names = Object.keys(contents)
  const layout = planDrive(
    'GL-APPS',
    names.map((name) => ({ name, sizeBytes: contents[name]?.length ?? 0 })),
  )
  const path = join(folder, 'drive.img')
  await using file = await open(path, 'w')
  await file.truncate(layout.sizeBytes)
  for (const { offset, bytes } of layout.structure) await file.write(bytes, 0, bytes.length, offset)
  for (const [index, name] of names.entries()) {
    const bytes = contents[name] ?? Buffer.alloc(0)
    if (bytes.length > 0) await file.write(bytes, 0, bytes.length, layout.offsets[index] ?? 0)
  }
  return path
}

suite('a drive that every system can read', () => {
  test("the file system's own tools find every file, byte for byte, and nothing wrong", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-fat-'))
    try {
      const many = Object.fromEntries(
        Array.from({ length: 130 }, (_, index) => [`${index}-package`, Buffer.alloc(index * 97, index)]),
      )
      const contents = { 'manifest.json': Buffer.from('{}'), empty: Buffer.alloc(0), ...many }
      const path = await write(folder, contents)
      const { stdout } = await run('fsck.vfat', ['-n', path], { env: environment })
      // The label counts as one.
      assert.match(stdout, /: 133 files/)
      for (const name of ['manifest.json', 'empty', '1-package', '42-package', '43-package', '129-package']) {
        const options = { env: environment, encoding: 'buffer', maxBuffer: 1 << 20 } as const
        const read = await run('mtype', ['-i', path, `::${name}`], options)
        assert.ok(read.stdout.equals(contents[name as keyof typeof contents]), name)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('what does not fit is refused', () => {
    const file = { name: 'a', sizeBytes: 1 }
    assert.throws(() => planDrive('lower', [file]), /label/)
    assert.throws(() => planDrive('A', [file, { ...file, name: 'A' }]), /same name/)
    assert.throws(() => planDrive('A', [{ ...file, name: 'a-name-too-long' }]), /does not fit/)
    assert.throws(() => planDrive('A', [{ ...file, name: '../a' }]), /does not fit/)
    assert.throws(() => planDrive('A', [{ ...file, sizeBytes: 2 ** 32 }]), /does not fit/)
  })
})
