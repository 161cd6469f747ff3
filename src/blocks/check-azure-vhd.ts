import { MiB } from '../base/units.ts'
import type { DiskImage } from './disk-image.ts'
import { blockProblems } from './problems.ts'

/**
 * Azure's further rule for an uploaded VHD: the virtual size is a whole number of MiB. Throws VhdSizeNotWholeMiB with
 * Azure's text. Source: learn.microsoft.com, "Prepare a Windows VHD to upload to Azure". Other formats pass.
 */
export function checkAzureVhd(image: Pick<DiskImage, 'format' | 'virtualSizeBytes'>, called: { name: string }): void {
  if (image.format !== 'vhd-fixed' && image.format !== 'vhd-dynamic') return
  if (image.virtualSizeBytes % MiB !== 0)
    throw blockProblems.VhdSizeNotWholeMiB({ name: called.name, sizeBytes: image.virtualSizeBytes })
}
