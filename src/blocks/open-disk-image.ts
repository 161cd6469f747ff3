import { TiB } from '../base/units.ts'
import type { Container, Marks } from './detect-container.ts'
import { detectContainers } from './detect-container.ts'
import type { DiskFormat, DiskImage } from './disk-image.ts'
import type { HostFile } from './host-file.ts'
import { openHostFile } from './host-file.ts'
import { blockProblems } from './problems.ts'
import { openQcow2 } from './qcow2-image.ts'
import { flatImage } from './raw-image.ts'
import { openVhd } from './vhd-image.ts'

export interface OpenDiskImageOptions {
  /** What the caller says it is; `vhd` is either kind of VHD. Undefined: told from the content, strictly. */
  readonly format?: DiskFormat | 'vhd' | undefined
  /** A larger virtual size is refused. 1 TiB unless said otherwise. */
  readonly maxVirtualSizeBytes?: number | undefined
  /** With format `raw`: the bytes are the disk, although they carry the mark of a container. */
  readonly rawIsRaw?: boolean | undefined
  /** What messages call the disk, and its blob: the path's last part unless said otherwise. */
  readonly name?: string | undefined
  readonly blob?: string | undefined
}

/**
 * Opens a disk image of unknown origin. Everything is checked that can be without reading the data: bounds, overlaps,
 * references to other files, sizes (DATAPLANE section 6.5). Memory stays under 64 MiB whatever the image. Throws a
 * Problem with the reason; the file is closed then.
 */
export async function openDiskImage(path: string, options: OpenDiskImageOptions = {}): Promise<DiskImage> {
  const file = await openHostFile(path, {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.blob === undefined ? {} : { blob: options.blob }),
  })
  try {
    const image = await openAs(file, decideFormat(file, await detectContainers(file), options), options)
    const declared = options.format
    if (declared !== undefined && declared !== image.format && !(declared === 'vhd' && image.format !== 'qcow2'))
      throw blockProblems.FormatMismatch({ name: file.name, declared, found: image.format })
    return image
  } catch (error) {
    await file.close()
    throw error
  }
}

type Family = 'raw' | 'vhd' | 'qcow2'

function openAs(file: HostFile, family: Family, options: OpenDiskImageOptions): Promise<DiskImage> {
  const limitBytes = options.maxVirtualSizeBytes ?? TiB
  const checkSize = (sizeBytes: number): void => {
    if (sizeBytes === 0) throw blockProblems.ImageEmpty({ name: file.name })
    if (sizeBytes > limitBytes) throw blockProblems.ImageTooLarge({ name: file.name, sizeBytes, limitBytes })
  }
  switch (family) {
    case 'vhd':
      return openVhd(file, checkSize)
    case 'qcow2':
      return openQcow2(file, checkSize)
    case 'raw': {
      const sizeBytes = Math.ceil(file.sizeBytes / 512) * 512
      checkSize(sizeBytes)
      return Promise.resolve(flatImage(file, 'raw', file.sizeBytes, sizeBytes))
    }
  }
}

/** Which reader may look at the file. Pure but for the problems it throws. */
function decideFormat(file: HostFile, marks: Marks, options: OpenDiskImageOptions): Family {
  const { name } = file
  const outer = new Set<Container>([...marks.first, ...marks.last])
  if (outer.size > 1) throw blockProblems.TwoFormats({ name, found: [...outer] })
  const [container] = outer
  const declared = options.format
  if (declared === 'raw') {
    const [found] = new Set([...outer, ...marks.inner])
    if (found !== undefined && options.rawIsRaw !== true) throw blockProblems.RawHoldsContainer({ name, found })
    return 'raw'
  }
  if (container === undefined) {
    if (declared === undefined) return decideUnmarked(name, marks)
    if (declared !== 'qcow2') throw blockProblems.VhdCookieMissing(file)
    throw blockProblems.FormatMismatch({ name, declared, found: 'not qcow2' })
  }
  if (container !== 'VHD' && container !== 'qcow2') throw blockProblems.FormatUnsupported({ name, found: container })
  const found = container === 'VHD' ? 'vhd' : 'qcow2'
  const wanted = declared === undefined ? found : declared === 'qcow2' ? 'qcow2' : 'vhd'
  if (wanted !== found) throw blockProblems.FormatMismatch({ name, declared: `${declared}`, found })
  if (found === 'vhd' && !marks.last.has('VHD'))
    throw blockProblems.VhdTruncated({ name, reason: 'it begins as a dynamic VHD but has no footer at its end' })
  return found
}

function decideUnmarked(name: string, marks: Marks): Family {
  const [found] = marks.inner
  if (found !== undefined) throw blockProblems.RawHoldsContainer({ name, found })
  return 'raw'
}
