import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { toolConfig } from './config.ts'

/** A kernel in the cache: `vmlinuz` and the modules that the demonstration disk loads, unpacked. */
export interface Kernel {
  readonly version: string
  readonly folder: string
  /** Names without `.ko`, in the order in which they can be loaded. */
  readonly modules: readonly string[]
}

const run = promisify(execFile)

/** Raised with `wantedModules`: what an older version kept lacks some. */
const keptAs = '+net'

// Debian's kernel for clouds first: it is small. Ubuntu has `virtual`. Modules that a kernel has built in are no files.
const metaPackages = ['linux-image-cloud-amd64', 'linux-image-virtual', 'linux-image-generic', 'linux-image-amd64']
const wantedModules = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'ata_piix',
  'sd_mod',
  'nls_cp437',
  'nls_ascii',
  'vfat',
  'button',
  'evdev',
]

/**
 * The newest kernel of the cache, else the one that the distribution's packages offer, downloaded and unpacked as the
 * user who runs this (no root). Throws with the next step where apt knows no kernel or cannot download it.
 */
export async function findKernel(cacheDir: string): Promise<Kernel> {
  await mkdir(cacheDir, { recursive: true })
  const cached = (await readdir(cacheDir)).filter((name) => name.startsWith('linux-')).toSorted(compareVersions)
  const newest = cached.findLast((name) => name.endsWith(keptAs))
  if (newest !== undefined) return readKernel(join(cacheDir, newest))
  try {
    return await fetchKernel(cacheDir)
  } catch (error) {
    // Without a network an older one still boots, if without a network card.
    const older = cached.at(-1)
    if (older === undefined) throw error
    return readKernel(join(cacheDir, older))
  }
}

async function fetchKernel(cacheDir: string): Promise<Kernel> {
  const image = await findImagePackage()
  const scratch = await mkdtemp(join(cacheDir, '.unpack-'))
  try {
    const root = join(scratch, 'root')
    const ready = join(scratch, 'ready')
    await mkdir(ready)
    await unpack(
      [image, ...(await dependencies(image)).filter((name) => name.startsWith('linux-modules-'))],
      scratch,
      root,
    )
    await collect(root, ready)
    const folder = join(cacheDir, image.replace('linux-image-', 'linux-').replace('-unsigned', '') + keptAs)
    // Another process may have been quicker: what it made is as good.
    await rename(ready, folder).catch(async (error: unknown) => {
      await readKernel(folder).catch(() => {
        throw error
      })
    })
    return await readKernel(folder)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function readKernel(folder: string): Promise<Kernel> {
  const modules = (await readFile(join(folder, 'modules.order'), 'utf8')).split('\n').filter((line) => line !== '')
  return { version: basename(folder).replace('linux-', '').replace(keptAs, ''), folder, modules }
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

async function findImagePackage(): Promise<string> {
  for (const meta of metaPackages) {
    const image = (await dependencies(meta)).find((name) => /^linux-image-\d/.test(name))
    if (image !== undefined) return image
  }
  throw new Error(
    `apt knows no kernel package (${metaPackages.join(', ')}). Its package lists may be empty; run: apt-get update`,
  )
}

async function dependencies(packageName: string): Promise<string[]> {
  try {
    const { stdout } = await run('apt-cache', ['depends', packageName], environment())
    return [...stdout.matchAll(/^\s*\|?Depends: ([a-z0-9.+-]+)$/gm)].map((match) => match[1] ?? '')
  } catch {
    return []
  }
}

async function unpack(packages: readonly string[], scratch: string, root: string): Promise<void> {
  try {
    await run('apt-get', ['download', ...packages], { ...environment(), cwd: scratch })
  } catch (error) {
    throw new Error(
      `apt-get could not download ${packages.join(' ')}. Check the network, run 'apt-get update' and try again.`,
      { cause: error },
    )
  }
  for (const deb of globSync(join(scratch, '*.deb'))) await run('dpkg-deb', ['-x', deb, root])
}

async function collect(root: string, into: string): Promise<void> {
  const [vmlinuz] = globSync(join(root, 'boot/vmlinuz-*'))
  if (vmlinuz === undefined) throw new Error('The kernel package holds no boot/vmlinuz-*: its layout has changed.')
  await rename(vmlinuz, join(into, 'vmlinuz'))
  const files = new Map<string, string>()
  for (const file of globSync(join(root, '{lib,usr/lib}/modules/*/kernel/**/*.ko{,.xz,.zst}')))
    files.set(moduleName(file), file)
  const order: string[] = []
  const add = async (name: string): Promise<void> => {
    const file = files.get(name)
    if (file === undefined || order.includes(name)) return
    const bytes = await unpackModule(file)
    const depends = /\0depends=([^\0]*)\0/.exec(bytes.toString('latin1'))?.[1] ?? ''
    for (const other of depends.split(',')) await add(other.replaceAll('-', '_'))
    await writeFile(join(into, `${name}.ko`), bytes)
    order.push(name)
  }
  for (const name of wantedModules) await add(name)
  await writeFile(join(into, 'modules.order'), `${order.join('\n')}\n`)
}

function moduleName(file: string): string {
  return basename(file)
    .replace(/\.ko(\.xz|\.zst)?$/, '')
    .replaceAll('-', '_')
}

async function unpackModule(file: string): Promise<Buffer> {
  if (file.endsWith('.zst')) return zstdDecompressSync(await readFile(file))
  if (file.endsWith('.xz')) {
    const { stdout } = await run('xz', ['-dc', file], { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })
    return stdout
  }
  return readFile(file)
}

function environment(): { env: NodeJS.ProcessEnv } {
  return { env: { ...toolConfig.environment, LC_ALL: 'C' } }
}
