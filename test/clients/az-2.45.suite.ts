import { azSuite } from './az-suite.ts'

azSuite('Debian 12', 'az-2.45', {
  version: '2.45.0',
  authority: 'adfs',
  certificateOption: '-p',
  isGenerated: false,
  noWaitSends: true,
})
