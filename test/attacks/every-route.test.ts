import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { galleryApiVersions } from '../../src/contract/api-versions.ts'
import { extensionTypes } from '../../src/contract/extension-types.ts'
import { allPermissions } from '../../src/contract/permissions.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { loadConfig } from '../../src/server/config.ts'
import { wire } from '../../src/server/wiring.ts'
import type { Answer, GoldleafEnvironment } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'

interface Route {
  readonly method: string
  readonly url: string
}

/** Served to whoever is signed in: what they show is filtered, or no secret. An address that is not here needs a right. */
const open: readonly RegExp[] = [
  /^GET \/subscriptions$/,
  /^GET \/tenants$/,
  /^GET \/providers(?:\/:namespace)?$/,
  /^GET \/providers\/Microsoft\.Insights\/eventcategories$/,
  /^GET \/providers\/Microsoft\.Features\//,
  // Lists of everything that the caller may read, wherever it is.
  /^GET \/providers\/Microsoft\.\w+\/\w+$/,
  /^POST \/providers\/Microsoft\.ResourceGraph\/resources$/,
]

/**
 * Walks over every address that the assembled server has, as somebody without any right. Whatever is asked must be
 * refused for want of an action, and that action must be one that the contract declares (and so has a row in the
 * matrix of src/access); each declared action must have been asked for by some address.
 */
suite('every address asks for a right', () => {
  const cleanup = new AsyncDisposableStack()
  const routes: Route[] = []
  let people: Principals
  let nobody: TestUser
  let stranger: TestUser
  let subscriptionId = ''
  let endpoint = ''
  before(async () => {
    const data = await mkdtemp(join(tmpdir(), 'goldleaf-routes-'))
    cleanup.defer(() => rm(data, { recursive: true, force: true }))
    const config = await loadConfig({ data, logLevel: 'silent' }, data)
    const wired = cleanup.use(await wire(config, systemClock, silentLogger))
    const http = createHttpServer({ logger: silentLogger, clock: systemClock, closeTimeoutMs: 500 })
    cleanup.defer(() => http.close())
    http.app.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) if (one !== 'HEAD') routes.push({ method: one, url })
    })
    wired.register(http.app)
    const { http: httpEndpoint } = await http.listen({ http: { host: '127.0.0.1', port: 0 } })
    subscriptionId = wired.installation.subscriptionId
    endpoint = httpEndpoint
    const { tenantId, clientId } = wired.installation
    const env: GoldleafEnvironment = {
      endpoint: httpEndpoint,
      httpEndpoint,
      caFile: '',
      tenantId,
      subscriptionId,
      clientId,
      clientSecret: '',
    }
    people = cleanup.use(await openPrincipals({ data, env }))
    nobody = await people.user('nobody')
    stranger = await people.user('stranger', await people.tenant('Elsewhere'))
  })
  after(() => cleanup.disposeAsync())

  /** The route with names that fit every rule; the group is not there, so that nobody is surprised by a success. */
  const addressOf = (url: string): string =>
    url
      .replace(':subscriptionId', subscriptionId)
      .replace(':resourceGroup', 'absent')
      .replace(':location', 'westeurope')
      .replace(':operationId', '00000000-0000-4000-8000-000000000000')
      .replace(':namespace', 'Microsoft.Compute')
      .replaceAll(/:\w+/g, 'x1')

  const since = `&$filter=${encodeURIComponent(`eventTimestamp ge '${new Date(Date.now() - 60_000).toISOString()}'`)}`
  /** Asks again with a version that the refusal names: which one an address has is not what is tried here. */
  const ask = async (user: TestUser, { method, url }: Route): Promise<Answer> => {
    const body = ['GET', 'DELETE'].includes(method) ? undefined : { location: 'westeurope' }
    const query = url.endsWith('eventtypes/management/values') ? since : ''
    const send = (version: string) => user.arm.call(method, `${addressOf(url)}?api-version=${version}${query}`, body)
    const first = await send('1999-01-01')
    const versions = [...(first.body.error?.message ?? '').matchAll(/\d{4}-\d{2}-\d{2}(?:-preview)?/g)].map(String)
    const newest = versions.filter((one) => one !== '1999-01-01').at(-1)
    if (newest !== undefined) return send(newest)
    // An action that older versions do not have.
    return first.body.error?.code === 'InvalidResourceType' ? send(galleryApiVersions.at(-1) ?? '') : first
  }
  const actionOf = ({ body }: Answer): string | undefined =>
    /perform action '([^']+)'/.exec(body.error?.message ?? '')?.[1]
  const ofArm = (): readonly Route[] =>
    routes.filter(({ url }) => /^\/(?:subscriptions|providers|tenants)\b/.test(url) && !url.endsWith('*'))
  const extensionRoutes = (): readonly Route[] =>
    extensionTypes.flatMap(({ type, operations, scopes }) => {
      const [namespace = '', ...names] = type.split('/')
      const scope = scopes.includes('subscription') ? '/subscriptions/:subscriptionId' : ''
      const list = `${scope}/providers/${namespace}/${names.join('/x1/')}`
      const methods = { list: 'GET', read: 'GET', write: 'PUT', remove: 'DELETE', run: 'POST' } as const
      return (['list', 'read', 'write', 'remove', 'run'] as const)
        .filter((name) => operations[name] !== undefined && operations[name] !== 'anyone')
        .map((name) => ({ method: methods[name], url: name === 'list' || name === 'run' ? list : `${list}/x1` }))
    })

  test('nothing is given to somebody without a right, and every declared action is asked for', async () => {
    const declared = new Set(allPermissions())
    const asked = new Set<string>()
    const wrong: string[] = []
    const all = [...ofArm(), ...extensionRoutes()]
    assert.ok(all.length > 100, `only ${all.length} routes were found`)
    for (const route of all) {
      const label = `${route.method} ${route.url}`
      if (open.some((pattern) => pattern.test(label))) continue
      const answer = await ask(nobody, route)
      const action = actionOf(answer)
      if (answer.status !== 403 || action === undefined)
        wrong.push(`${label}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`)
      else asked.add(action)
      // What is judged must lie where the address points: the group of the path, or at least its subscription.
      const place = /^(?:\/subscriptions\/[^/]+(?:\/resourceGroups\/[^/?]+)?)?/i.exec(addressOf(route.url))?.[0] ?? ''
      const scope = /over scope '([^']+)'/.exec(answer.body.error?.message ?? '')?.[1] ?? ''
      if (!scope.toLowerCase().startsWith(place.toLowerCase())) wrong.push(`${label}: judged at '${scope}'`)
    }
    assert.deepEqual(wrong, [], 'these asked for no right')
    // Both ways: an action that no row of the matrix judges, and a row for what is never asked.
    assert.deepEqual([...asked].toSorted(), [...declared].toSorted())
  })

  test('everything below a subscription is refused to another tenant', async () => {
    for (const route of [...ofArm(), ...extensionRoutes()].filter(({ url }) => url.includes(':subscriptionId'))) {
      const answer = await ask(stranger, route)
      assert.equal(answer.status, 401, `${route.method} ${route.url}: ${JSON.stringify(answer.body)}`)
      assert.equal(answer.body.error?.code, 'InvalidAuthenticationTokenTenant')
    }
  })

  test('nothing is served without a token', async () => {
    for (const { method, url } of [...ofArm(), ...extensionRoutes()]) {
      const address = `${endpoint}${addressOf(url)}?api-version=2024-03-03`
      const { status } = await fetch(address, { method })
      assert.equal(status, 401, `${method} ${url}`)
    }
  })
})
