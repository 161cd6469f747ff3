import { join } from 'node:path'
import { azSuite } from './az-suite.ts'

// tools/test-clients.ts lays it down: Debian 13 in a folder, nothing of this system is changed.
const chroot = join(import.meta.dirname, '../../.cache/chroots/trixie')

azSuite('Debian 13, in a chroot', 'az-2.74', {
  version: '2.74.0',
  authority: 'plain',
  chroot,
  certificateOption: '--certificate',
  isGenerated: true,
  noWaitSends: false,
})
