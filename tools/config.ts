import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What tools read from their surroundings; nothing else in tools/ looks at process.env. */
export const toolConfig = {
  root: join(dirname(fileURLToPath(import.meta.url)), '..'),
  environment: process.env,
  // /usr/sbin holds mkfs.vfat and sfdisk and is not on every user's PATH.
  path: [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'],
  isCi: process.env['CI'] === 'true',
}
