import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { armCaller, startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { cli } from '../support/publishing.ts'

const path = '/goldleaf/v1/signingKeys'

/** Keys change under a running server, by its operator alone, and the log says so. */
suite('signing keys', () => {
  let server: RunningGoldleaf
  before(async () => {
    server = await startGoldleaf()
  })
  after(() => server?.[Symbol.asyncDispose]())

  async function run(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await cli(server, ...args)
    assert.equal(code, 0, err)
    return out
  }
  const statusOf = async (token: string): Promise<number> =>
    (await armCaller({ env: server.env, token }).call('GET', '/subscriptions?api-version=2022-12-01')).status

  test('goldleaf key rotate: a new one signs, the one before it still verifies', async () => {
    assert.doesNotMatch(server.log(), /Unsupported runtime|oidc-provider/)
    await run('key', 'rotate')
    assert.match(await run('key', 'list'), /signs\s+\S+\s+\S+\s+verifies/)
    const shown = await fetch(`${server.env.httpEndpoint}/common/discovery/v2.0/keys`)
    assert.equal(((await shown.json()) as { keys: unknown[] }).keys.length, 2)
    assert.equal(await statusOf(server.token), 200)
  })

  test('goldleaf key rotate --drop-old: tokens of before are refused at once', async () => {
    await run('key', 'rotate', '--drop-old')
    assert.equal(await statusOf(server.token), 401)
    assert.equal(await statusOf((await run('token')).trim()), 200)
    assert.match(await run('activity', 'list', '--tenant-level'), /signingKeys\/write/)
  })

  test('nobody else may, and the log says who tried', async () => {
    const { appId, clientSecret } = JSON.parse(await run('app', 'create', 'curious')) as Record<string, string>
    const answer = await fetch(`${server.env.httpEndpoint}/${server.env.tenantId}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: appId ?? '',
        client_secret: clientSecret ?? '',
        scope: `${server.env.httpEndpoint}/.default`,
      }),
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const curious = armCaller({ env: server.env, token })
    for (const method of ['GET', 'POST']) {
      const { status, body } = await curious.call(method, path, method === 'POST' ? {} : undefined)
      assert.deepEqual([status, body.error?.code], [403, 'Authorization_RequestDenied'])
    }
    const events = JSON.parse(await run('activity', 'list', '--tenant-level', '--json')) as {
      readonly caller?: string
      readonly status: { readonly value: string }
      readonly operationName: { readonly value: string }
    }[]
    const tries = events.filter((one) => one.operationName.value.endsWith('signingKeys/write'))
    assert.ok(tries.some((one) => one.caller === appId && one.status.value === 'Failed'))
  })
})
