import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGoldleaf } from '../support/goldleaf.ts'
import { openAz } from './az.ts'
import type { AzWalk } from './az-walk.ts'

/** A cloud with a name and hosts of its own: az is told one address and finds the others there. */
export function walkSovereign({ step, installation }: AzWalk): void {
  const hosts = {
    resourceManager: 'management.sovereign.example',
    login: 'login.sovereign.example',
    graph: 'graph.sovereign.example',
  }
  step('cloud register of a sovereign cloud', async () => {
    if (process.getuid?.() !== 0) return 'takes root: names of hosts are given to one process'
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-sovereign-'))
    const config = join(folder, 'goldleaf.json')
    await writeFile(config, JSON.stringify({ cloud: { name: 'AzureSovereignCloud', hosts } }))
    await using server = await startGoldleaf({ args: ['--config', config] })
    const { port } = new URL(server.env.endpoint)
    const endpoint = `https://${hosts.resourceManager}:${port}`
    const env = { ...server.env, endpoint }
    await using az = await openAz(installation, { env }, 'address', Object.values(hosts))
    const { endpoints } = await az.run('cloud', 'show')
    const login = `https://${hosts.login}:${port}`
    assert.equal(endpoints.resourceManager, endpoint)
    assert.ok(endpoints.activeDirectory.startsWith(login), endpoints.activeDirectory)
    assert.equal(endpoints.activeDirectoryResourceId, `${endpoint}/`)
    const { clientId, clientSecret, tenantId, subscriptionId } = env
    const account = ['-u', clientId, '-p', clientSecret, '--tenant', tenantId]
    const [only] = await az.run('login', '--service-principal', ...account)
    assert.equal(only.id, subscriptionId)
    assert.deepEqual(await az.run('group', 'list'), [])
    await rm(folder, { recursive: true, force: true })
    return undefined
  })
}
