import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isoImage } from './iso9660.ts'

const hasTool = spawnSync('xorriso', ['--version']).status === 0
const skip = hasTool ? false : 'xorriso is not installed (apt install xorriso): no disc is read as others read it'

test('a disc is read by another program: its label, its names and every byte', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'goldleaf-iso-'))
  try {
    const files = [
      { name: 'user-data', bytes: Buffer.alloc(5000, 'x') },
      { name: 'meta-data', bytes: Buffer.from('instance-id: 1\n') },
      { name: 'empty', bytes: Buffer.alloc(0) },
    ]
    const path = join(folder, 'seed.iso')
    writeFileSync(path, isoImage('cidata', files))
    assert.deepEqual(isoImage('cidata', files), readFileSync(path), 'the same files, the same bytes')
    const said = execFileSync(
      'xorriso',
      ['-read_fs', 'norock', '-indev', path, '-osirrox', 'on', '-extract', '/', join(folder, 'out')],
      { stdio: 'pipe' },
    )
    assert.ok(said)
    for (const { name, bytes } of files) assert.deepEqual(readFileSync(join(folder, 'out', name)), Buffer.from(bytes))
    const label = spawnSync('xorriso', ['-indev', path, '-pvd_info'], { encoding: 'utf8' })
    assert.match(label.stdout + label.stderr, /Volume Id\s*:\s*'?cidata/i)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
