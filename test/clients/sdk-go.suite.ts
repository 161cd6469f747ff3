import { join } from 'node:path'
import { programWalk, sdkSuite } from './sdk-steps.ts'

// Debian has the SDK in GOPATH form, and its first track only (CLIENTS.md).
sdkSuite(
  { client: 'Go azure-sdk-for-go 68 (Debian 12)', slug: 'sdk-go', apiVersion: '2022-03-03' },
  programWalk(
    '/usr/bin/go',
    ['run', ...['walk.go', 'walk-sharing.go'].map((file) => join(import.meta.dirname, file))],
    {
      GO111MODULE: 'off',
      GOPATH: '/usr/share/gocode',
    },
  ),
)
