import { azSuite } from './az-suite.ts'

azSuite('az 2.45.0 (Debian 12)', 'az-2.45', {
  authority: 'adfs',
  certificateOption: '-p',
  isGenerated: false,
  noWaitSends: true,
})
