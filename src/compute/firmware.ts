/** How a machine starts: SeaBIOS or UEFI. */
export interface FirmwareChoice {
  readonly firmware: 'bios' | 'uefi'
  /** The definition says V2 (UEFI), and the disk can only start by BIOS. */
  readonly isOverruled: boolean
}

/** How much of a disk's start `chooseFirmware` looks at: the MBR, the GPT header and its usual 128 entries. */
export const firmwareProbeBytes = 34 * 512

const efiSystemPartition = Buffer.from('28732ac11ff8d211ba4b00a0c93ec93b', 'hex')

/**
 * Generation V1 starts by BIOS, V2 by UEFI. Definitions have been V2 by default since api-version 2025-03-03, so disks
 * that only know BIOS are often published as V2 by accident; on Azure such a machine never starts. Here it is started
 * the way its disk can: boot code in the MBR and no EFI system partition means BIOS, whatever the definition says.
 */
export function chooseFirmware(generation: string | undefined, start: Uint8Array): FirmwareChoice {
  if (generation !== 'V2') return { firmware: 'bios', isOverruled: false }
  const isBiosOnly = hasBootCode(start) && !hasEfiSystemPartition(start)
  return { firmware: isBiosOnly ? 'bios' : 'uefi', isOverruled: isBiosOnly }
}

function hasBootCode(start: Uint8Array): boolean {
  return start[510] === 0x55 && start[511] === 0xaa && start.subarray(0, 440).some((byte) => byte !== 0)
}

function hasEfiSystemPartition(start: Uint8Array): boolean {
  const types = [0, 1, 2, 3].map((entry) => start[446 + 16 * entry + 4])
  if (types.includes(0xef)) return true
  if (!types.includes(0xee)) return false
  const entries = start.subarray(1024)
  for (let at = 0; at + 128 <= entries.length; at += 128)
    if (efiSystemPartition.equals(entries.subarray(at, at + 16))) return true
  return false
}
