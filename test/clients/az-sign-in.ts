import assert from 'node:assert/strict'
import type { AzWalk } from './az-walk.ts'

/** Signing in as the server's own client, and what az keeps of it. */
export function walkSignIn({ az, step, server }: AzWalk): void {
  step('cloud register', async () => {
    assert.equal((await az().run('cloud', 'show')).endpoints.resourceManager, server().env.endpoint)
  })
  step('login --service-principal', async () => {
    const { clientId, clientSecret, tenantId, subscriptionId } = server().env
    const account = ['-u', clientId, '-p', clientSecret, '--tenant', tenantId]
    const [only] = await az().run('login', '--service-principal', ...account)
    assert.deepEqual([only.id, only.tenantId, only.user.type], [subscriptionId, tenantId, 'servicePrincipal'])
  })
  step('account list', async () => assert.equal((await az().run('account', 'list')).length, 1))
  step('account show', async () => assert.equal((await az().run('account', 'show')).state, 'Enabled'))
  step('account set', async () => void (await az().run('account', 'set', '-s', server().env.subscriptionId)))
  step('account list-locations', async () => {
    const names = (await az().run('account', 'list-locations')).map((one: { name: string }) => one.name)
    assert.ok(names.includes('westeurope'))
  })
  step('account get-access-token', async () => {
    assert.match((await az().run('account', 'get-access-token')).accessToken, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  })
  step('provider show', async () => {
    assert.equal((await az().run('provider', 'show', '-n', 'Microsoft.Compute')).registrationState, 'Registered')
  })
}
