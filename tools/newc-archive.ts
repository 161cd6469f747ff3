/** One member of an initramfs. Device nodes need no root here: they are only bytes in an archive. */
export type ArchiveMember =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'device'; readonly path: string; readonly major: number; readonly minor: number }

const modeOf = { folder: 0o040755, file: 0o100000, link: 0o120777, device: 0o020600 }

/**
 * Writes the "newc" cpio form that the kernel unpacks (kernel: Documentation/driver-api/early-userspace/buffer-format).
 * The same members give the same bytes: owner 0, time 0, inodes numbered in order. Paths have no leading slash; a
 * folder comes before what is in it.
 */
export function newcArchive(members: readonly ArchiveMember[]): Buffer {
  const parts: Buffer[] = []
  members.forEach((member, index) => {
    const content = member.kind === 'file' ? member.bytes : Buffer.from(member.kind === 'link' ? member.to : '')
    const mode = modeOf[member.kind] | (member.kind === 'file' ? member.mode : 0)
    const device = member.kind === 'device' ? member : { major: 0, minor: 0 }
    parts.push(...entry(member.path, index + 1, mode, content, device))
  })
  parts.push(...entry('TRAILER!!!', 0, 0, Buffer.alloc(0), { major: 0, minor: 0 }))
  return Buffer.concat(parts)
}

function entry(
  path: string,
  inode: number,
  mode: number,
  content: Uint8Array,
  device: { readonly major: number; readonly minor: number },
): Buffer[] {
  const name = Buffer.from(`${path}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, device.major, device.minor, name.length, 0]
  const header = Buffer.from(`070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`)
  return [header, name, padding(header.length + name.length), Buffer.from(content), padding(content.length)]
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4)
}
