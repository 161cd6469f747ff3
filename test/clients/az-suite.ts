import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { openAz } from './az.ts'
import type { Az, AzInstallation } from './az.ts'
import { walkAccess } from './az-access.ts'
import { coveredGroups, walkCoverage } from './az-coverage.ts'
import { walkDefinitions, walkDeletion, walkGalleries } from './az-galleries.ts'
import { walkGroups } from './az-groups.ts'
import { walkDirectory } from './az-directory.ts'
import { walkApplications } from './az-artifacts.ts'
import { walkRegistrations } from './az-registrations.ts'
import { walkCommunity, walkDirectSharing } from './az-sharing.ts'
import { walkLogins } from './az-logins.ts'
import { walkSovereign } from './az-sovereign.ts'
import { walkSignIn } from './az-sign-in.ts'
import { walkVersions } from './az-versions.ts'
import type { AzWalk } from './az-walk.ts'
import { clientSuite } from './client-report.ts'
import { uploadPackage, uploadVhd } from './uploads.ts'

/** The regions that there are without a configuration, one of them with an edge zone. */
const regions = [
  { name: 'westeurope', displayName: 'West Europe', zones: 3, extendedLocations: [{ name: 'Cork' }] },
  { name: 'northeurope', displayName: 'North Europe', zones: 3 },
  { name: 'eastus', displayName: 'East US', zones: 3 },
]

/** The walk that every az is taken through, against a server of its own. */
export function azSuite(home: string, slug: string, installation: AzInstallation): void {
  clientSuite(`az ${installation.version} (${home})`, slug, (step) => {
    let folder: string
    let server: RunningGoldleaf
    let az: Az
    let options: Awaited<ReturnType<Az['options']>>
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'goldleaf-az-'))
      const config = join(folder, 'goldleaf.json')
      await writeFile(config, JSON.stringify({ regions }))
      server = await startGoldleaf({ args: ['--config', config] })
      az = await openAz(installation, server)
      const { 'azure-cli': version } = await az.run('version')
      assert.equal(version, installation.version, 'the tables would name another az than the one that ran')
      options = await az.options(...coveredGroups)
    })
    after(async () => {
      await az?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })
    const walk: AzWalk = {
      az: () => az,
      server: () => server,
      installation,
      step,
      takes: (command, option) => options[command]?.some((names) => names.includes(option)) ?? false,
      vhdUri: () => uploadVhd(server, 'azaccount', 'linux.vhd'),
      packageUri: () => uploadPackage(server, 'azaccount', 'tool.tar'),
    }
    walkSignIn(walk)
    walkDirectory(walk)
    walkLogins(walk)
    walkSovereign(walk)
    walkAccess(walk)
    walkGroups(walk)
    walkGalleries(walk)
    walkDefinitions(walk)
    walkVersions(walk)
    walkDirectSharing(walk)
    walkCommunity(walk)
    walkApplications(walk)
    walkRegistrations(walk)
    walkDeletion(walk)
    walkCoverage(walk, () => options)
  })
}
