import { defineProblems } from '../base/problem.ts'

/** `name` is what the caller calls the disk (a file name, a blob name), never a path of this server. */
interface Named {
  readonly name: string
}
interface Reason extends Named {
  readonly reason: string
}

const again = 'Make the image anew from its source and upload it again.'
const flatten = (format: string): string => `Flatten it first, for example with 'qemu-img convert -O ${format}'.`

/** What is wrong with a disk image, one entry a reason. The public codes are three: InvalidDiskImage, -Vhd, -Qcow2. */
export const blockProblems = defineProblems({
  NotRegularFile: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Reason) => `Disk image '${f.name}' is ${f.reason}, not a regular file. Name the file that holds the disk.`,
  },
  ImageEmpty: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Named) => `Disk image '${f.name}' holds a disk of 0 bytes. ${again}`,
  },
  ImageTooLarge: {
    kind: 'tooLarge',
    code: 'InvalidDiskImage',
    say: (f: Named & { sizeBytes: number; limitBytes: number }) =>
      `Disk image '${f.name}' has a virtual size of ${f.sizeBytes} bytes; the limit is ${f.limitBytes} bytes. ` +
      'Use a smaller disk or ask the operator to raise the limit.',
  },
  ImageChanged: {
    kind: 'conflict',
    code: 'InvalidDiskImage',
    say: (f: Named) => `Disk image '${f.name}' became shorter while it was read. Stop what writes to it and try again.`,
  },
  FormatMismatch: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Named & { declared: string; found: string }) =>
      `Disk image '${f.name}' was declared as ${f.declared} but its content is ${f.found}. ` +
      'Declare the format that it has, or leave it out.',
  },
  TwoFormats: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Named & { found: readonly string[] }) =>
      `Disk image '${f.name}' carries the marks of more than one format (${f.found.join(', ')}), so that programs would ` +
      `disagree about its content. ${again}`,
  },
  RawHoldsContainer: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Named & { found: string }) =>
      `Disk image '${f.name}' was declared as raw but carries the mark of ${f.found}. Declare its true format; if its ` +
      'bytes really are the disk itself, say so explicitly (raw, as it is).',
  },
  FormatUnsupported: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Named & { found: string }) =>
      `Disk image '${f.name}' is ${f.found}, which is not supported. ` +
      "Convert it, for example with 'qemu-img convert -O qcow2'.",
  },
  ImageInflates: {
    kind: 'invalid',
    code: 'InvalidDiskImage',
    say: (f: Reason) => `Disk image '${f.name}' costs more to read than an honest image would: ${f.reason}. ${again}`,
  },
  DiskSpaceExhausted: {
    kind: 'storageFull',
    say: (f: Named) => `There is no space left to write disk image '${f.name}'. Free some space and try again.`,
  },

  // Azure's own text and code for a blob whose last 512 bytes are no VHD footer.
  VhdCookieMissing: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Named & { blob: string }) =>
      `The specified cookie value in VHD footer indicates that disk '${f.name}' with blob ${f.blob} is not a supported ` +
      "VHD. Disk is expected to have cookie value 'conectix'.",
  },
  // Azure's own text for a VHD whose size is not a whole number of MiB.
  VhdSizeNotWholeMiB: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Named & { sizeBytes: number }) =>
      `The VHD ${f.name} has an unsupported virtual size of ${f.sizeBytes} bytes. ` +
      'The size must be a whole number (in MBs).',
  },
  VhdTruncated: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Reason) => `VHD '${f.name}' is truncated: ${f.reason}. Upload the whole file.`,
  },
  VhdChecksumWrong: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named & { part: string }) =>
      `VHD '${f.name}' is damaged: the checksum of its ${f.part} is wrong. ${again}`,
  },
  VhdSizeWrong: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Reason) => `VHD '${f.name}' lies about its size: ${f.reason}. ${again}`,
  },
  VhdDifferencing: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named) => `VHD '${f.name}' is a differencing disk that needs a parent file. ${flatten('vpc')}`,
  },
  VhdNamesParent: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named & { field: string }) =>
      `VHD '${f.name}' refers to a parent file (its ${f.field} is set). ${flatten('vpc')}`,
  },
  VhdFieldInvalid: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named & { field: string; value: string | number }) =>
      `VHD '${f.name}' is damaged or unsupported: its ${f.field} is ${f.value}. ${again}`,
  },
  VhdFootersDiffer: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named) => `VHD '${f.name}' is damaged: the footer at its end and the copy at its start differ. ${again}`,
  },
  VhdTableOutside: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Reason) => `VHD '${f.name}' is damaged: its block table is outside the file (${f.reason}). ${again}`,
  },
  VhdBlockOutside: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named & { block: number }) =>
      `VHD '${f.name}' is damaged or truncated: block ${f.block} is outside the file. Upload the whole file.`,
  },
  VhdBlocksOverlap: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: Named & { offset: number }) =>
      `VHD '${f.name}' is damaged: two of its parts overlap at byte ${f.offset} of the file. ${again}`,
  },

  Qcow2BackingFile: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named) => `qcow2 image '${f.name}' needs a backing file. ${flatten('qcow2')}`,
  },
  Qcow2DataFile: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named) => `qcow2 image '${f.name}' keeps its data in an external file. ${flatten('qcow2')}`,
  },
  Qcow2Encrypted: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named) => `qcow2 image '${f.name}' is encrypted. Decrypt it with 'qemu-img convert' first.`,
  },
  Qcow2Snapshots: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { count: number }) =>
      `qcow2 image '${f.name}' holds ${f.count} internal snapshot(s), which would be lost. ${flatten('qcow2')}`,
  },
  Qcow2MarkedCorrupt: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named) => `qcow2 image '${f.name}' is marked as corrupt. Repair it with 'qemu-img check -r all' first.`,
  },
  Qcow2FeatureUnsupported: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { feature: string }) =>
      `qcow2 image '${f.name}' needs ${f.feature}, which is not supported. ` +
      "Convert it with 'qemu-img convert -O qcow2' without that option.",
  },
  Qcow2FieldInvalid: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { field: string; value: string | number }) =>
      `qcow2 image '${f.name}' is damaged: its ${f.field} is ${f.value}. ${again}`,
  },
  Qcow2TableOutside: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { table: string }) =>
      `qcow2 image '${f.name}' is damaged or truncated: its ${f.table} is outside the file. Upload the whole file.`,
  },
  Qcow2EntryInvalid: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Reason) => `qcow2 image '${f.name}' is damaged: ${f.reason}. ${again}`,
  },
  Qcow2ClusterOutside: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { offset: number }) =>
      `qcow2 image '${f.name}' is damaged or truncated: the cluster of guest offset ${f.offset} is outside the file. ` +
      'Upload the whole file.',
  },
  Qcow2ClustersOverlap: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { offset: number }) =>
      `qcow2 image '${f.name}' is damaged: two of its parts overlap at byte ${f.offset} of the file. ${again}`,
  },
  Qcow2ClusterBroken: {
    kind: 'invalid',
    code: 'InvalidQcow2',
    say: (f: Named & { offset: number }) =>
      `qcow2 image '${f.name}' is damaged: the compressed cluster at byte ${f.offset} of the file does not unpack. ${again}`,
  },
})
