import { join } from 'node:path'
import { programWalk, sdkSuite } from './sdk-steps.ts'

// Debian has the SDK in GOPATH form, and its first track only (CLIENTS.md).
sdkSuite(
  'Go azure-sdk-for-go 68 (Debian 12)',
  'sdk-go',
  programWalk('/usr/bin/go', ['run', join(import.meta.dirname, 'walk.go')], {
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
  }),
)
