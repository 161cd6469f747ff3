import { join } from 'node:path'
import { programWalk, sdkSuite } from './sdk-steps.ts'

// The system's Python, whose packages Debian's python3-azure are: another python3 may come first on PATH.
sdkSuite(
  { client: 'Python azure-mgmt-compute 29.0 (Debian 12)', slug: 'sdk-python', apiVersion: '2022-03-03' },
  programWalk('/usr/bin/python3', [join(import.meta.dirname, 'walk.py')]),
)
