import { after, before } from 'node:test'
import { startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { openAz } from './az.ts'
import type { Az, AzInstallation } from './az.ts'
import { walkAccess } from './az-access.ts'
import { walkDefinitions, walkDeletion, walkVersions } from './az-galleries.ts'
import { walkDirectory } from './az-directory.ts'
import { walkApplications, walkRegistrations } from './az-artifacts.ts'
import { walkCommunity, walkDirectSharing } from './az-sharing.ts'
import { walkLogins } from './az-logins.ts'
import { walkSignIn } from './az-sign-in.ts'
import { clientSuite } from './client-report.ts'
import { uploadPackage, uploadVhd } from './uploads.ts'

/** The walk that every az is taken through, against a server of its own. */
export function azSuite(
  client: string,
  slug: string,
  installation: AzInstallation & { readonly noWaitSends: boolean },
): void {
  clientSuite(client, slug, (step) => {
    let server: RunningGoldleaf
    let az: Az
    before(async () => {
      server = await startGoldleaf()
      az = await openAz(installation, server)
    })
    after(async () => {
      await az[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })
    const walk = {
      az: () => az,
      step,
      noWaitSends: installation.noWaitSends,
      vhdUri: () => uploadVhd(server, 'azaccount', 'linux.vhd'),
      packageUri: () => uploadPackage(server, 'azaccount', 'tool.tar'),
    }
    walkSignIn(walk, () => server)
    walkDirectory(walk, () => server)
    walkLogins({ ...walk, server: () => server, installation })
    walkAccess({ ...walk, server: () => server, installation })
    walkDefinitions(walk)
    walkVersions(walk)
    walkDirectSharing(walk, () => server)
    walkCommunity(walk)
    walkApplications(walk)
    walkRegistrations(walk)
    walkDeletion(walk)
  })
}
