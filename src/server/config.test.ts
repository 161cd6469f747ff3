import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { loadConfig, parseListenAddress } from './config.ts'

suite('configuration', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-config-'))
  })
  after(() => rm(folder, { recursive: true }))

  const load = async (file: unknown, flags = {}) => {
    const text = typeof file === 'string' ? file : JSON.stringify(file)
    await writeFile(join(folder, 'goldleaf.json'), text)
    return loadConfig({ config: 'goldleaf.json', ...flags }, folder)
  }

  test('defaults: three regions with three zones, loopback, https on the next port', async () => {
    const config = await loadConfig({}, folder)
    assert.equal(config.dataFolder, join(folder, '.goldleaf'))
    assert.deepEqual(
      [config.http, config.https].map(({ host, port }) => `${host}:${port}`),
      ['127.0.0.1:8080', '127.0.0.1:8081'],
    )
    assert.deepEqual(
      config.regions.map(({ name, zones }) => `${name} ${zones.join()}`),
      ['westeurope 1,2,3', 'northeurope 1,2,3', 'eastus 1,2,3'],
    )
    const folders = config.regions.flatMap((region) => [...region.stampFolders, ...region.zoneFolders])
    assert.equal(new Set(folders).size, 12)
    assert.ok(folders.every((path) => path.startsWith(config.dataFolder)))
    assert.equal(config.limits.replicas, 100)
  })

  test('flags win over the file; port 0 asks for free ports twice', async () => {
    const config = await load({ listen: '0.0.0.0:1', logLevel: 'warn' }, { listen: 'localhost:0', logLevel: 'debug' })
    assert.deepEqual([config.http.port, config.https.port, config.logLevel], [0, 0, 'debug'])
  })

  test('outside issuers: by https, each once, with what their tokens must name', async () => {
    const entra = { issuer: 'https://login.microsoftonline.com/t/v2.0', audiences: ['api://goldleaf'] }
    assert.deepEqual((await load({ identity: { issuers: [entra] } })).issuers, [entra])
    for (const issuers of [
      [{ ...entra, issuer: 'http://keycloak.test/realms/a' }],
      [{ ...entra, jwksUri: 'http://keycloak.test/keys' }],
      [{ ...entra, audiences: [] }],
      [entra, entra],
    ])
      await assert.rejects(load({ identity: { issuers } }), { code: 'ConfigurationInvalid', message: /identity/ })
  })

  test('own regions: folders relative to the file, zones by number or by name, pairs in any spelling', async () => {
    const { regions } = await load({
      regions: [
        {
          name: 'brno',
          displayName: 'Brno Plant',
          folders: ['a', '/b'],
          pairedRegion: 'Oslo',
          geographyGroup: 'Plants',
        },
        {
          name: 'oslo',
          zones: [{ name: 'north', folder: 'n' }, { name: 'south' }],
          extendedLocations: [{ name: 'Bergen', folder: 'b' }, { name: 'Voss' }],
        },
      ],
    })
    assert.deepEqual(regions[1]?.edgeZones, [
      { name: 'Bergen', folder: join(folder, 'b') },
      { name: 'Voss', folder: join(folder, '.goldleaf/regions/oslo/edge-voss') },
    ])
    assert.deepEqual(regions[0]?.stampFolders, [join(folder, 'a'), '/b'])
    assert.deepEqual([regions[0]?.pairedRegion, regions[0]?.zones], ['oslo', []])
    assert.deepEqual(regions[1]?.zones, ['north', 'south'])
    assert.equal(regions[1]?.zoneFolders[0], join(folder, 'n'))
    assert.equal(regions[1]?.displayName, 'oslo')
  })

  test('limits: a profile of the past, and single figures over it', async () => {
    const { limits } = await load({ limits: { profile: 'preview', replicas: 3 } })
    assert.deepEqual([limits.galleries, limits.imageVersions, limits.replicas], [10, 2_000, 3])
  })

  const refused: readonly (readonly [why: string, file: unknown, member: string])[] = [
    ['not JSON', '{', 'config'],
    ['unknown member', { region: [] }, 'region'],
    ['unknown member inside', { regions: [{ name: 'a1', zone: 3 }] }, 'regions[0].zone'],
    ['missing name', { regions: [{}] }, 'regions[0].name'],
    ['no regions', { regions: [] }, 'regions'],
    ['name with a capital', { regions: [{ name: 'West' }] }, 'regions[0].name'],
    ['four zones', { regions: [{ name: 'a1', zones: 4 }] }, 'regions[0].zones'],
    ['zone named twice', { regions: [{ name: 'a1', zones: [{ name: 'x' }, { name: 'X' }] }] }, 'regions[0].zones'],
    ['same name twice', { regions: [{ name: 'a1' }, { name: 'a2', displayName: 'A 1' }] }, 'regions[1].name'],
    [
      'same folder twice',
      {
        regions: [
          { name: 'a1', folders: ['x'] },
          { name: 'a2', folders: ['x'] },
        ],
      },
      'regions[1].folders',
    ],
    ['pair is unknown', { regions: [{ name: 'a1', pairedRegion: 'a9' }] }, 'regions[0].pairedRegion'],
    ['accelerator', { accelerator: 'hvf' }, 'accelerator'],
    ['wait below zero', { retryAfterSeconds: -1 }, 'retryAfterSeconds'],
    ['limit of zero', { limits: { galleries: 0 } }, 'limits.galleries'],
    ['limit profile', { limits: { profile: '2021' } }, 'limits.profile'],
    ['address without port', { listen: 'localhost' }, 'listen'],
    ['same address twice', { listen: 'a:80', listenHttps: 'a:80' }, 'listenHttps'],
    ['no port after the last', { listen: 'a:65535' }, 'listenHttps'],
    ['log level', { logLevel: 'loud' }, 'logLevel'],
  ]
  for (const [why, file, member] of refused)
    test(`refused with the member's name: ${why}`, () =>
      assert.rejects(load(file), (error: Error & { code?: string; target?: string }) => {
        assert.equal(error.code, 'ConfigurationInvalid')
        assert.equal(error.target, member)
        assert.ok(error.message.includes(`'${member}'`), error.message)
        return true
      }))

  test('a missing file is named', () =>
    assert.rejects(loadConfig({ config: 'nowhere.json' }, folder), {
      message: /nowhere\.json cannot be read \(ENOENT\)/,
    }))
})

test('listen addresses', () => {
  assert.deepEqual(parseListenAddress('[::1]:0', 'listen'), { host: '::1', port: 0 })
  for (const text of ['::1:80', 'a:65536', ':80', 'http://a:80', 'a:'])
    assert.throws(() => parseListenAddress(text, 'listen'), { code: 'ConfigurationInvalid' })
})
