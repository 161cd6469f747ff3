import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { buildTinyDisk } from '../../tools/tiny-disk.ts'
import { eventually } from '../support/goldleaf.ts'
import { fixedVhd } from './vhd.ts'
import { assertRefused, openWire, vmVersion } from './wire.ts'
import type { Body, Json, Refusal, Wire } from './wire.ts'

const regions = { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] }

/** A real guest gets the applications that its machine names: on a drive, installed in order, updated and removed. */
suite('applications of a virtual machine', { timeout: 240_000 }, () => {
  let wire: Wire
  let extra = ''
  before(async () => {
    wire = await openWire()
    const { path } = await buildTinyDisk({ out: join(wire.folder, 'tiny.raw'), content: 'apps' })
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.publish('g/d/1.0.0', await wire.blob('tiny.vhd', fixedVhd(await readFile(path))), regions)
    for (const [name, os] of [
      ['tool', 'Linux'],
      ['agent', 'Linux'],
      ['other', 'Windows'],
    ] as const) {
      const application = wire.at(`galleries/g/applications/${name}`)
      await wire.arm.must('PUT', application, { location: 'westeurope', properties: { supportedOSType: os } })
      for (const version of ['1.0.0', '1.0.1']) await publishApplication(name, version)
    }
    await publishApplication('tool', '2.0.0', { install: 'echo "no license" >&2; exit 7' })
    extra = await wire.blob('extra.conf', Buffer.from('own\n'))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  /** The package is a program that says what is done with it, and with which configuration. */
  async function publishApplication(name: string, version: string, actions: Body = {}): Promise<void> {
    const program = `echo "${name} ${version}: $1 with $(cat settings)"\n`
    const mediaLink = await wire.blob(`${name}-${version}`, Buffer.from(program))
    const defaultConfigurationLink = await wire.blob(`${name}-${version}.conf`, Buffer.from('defaults\n'))
    await wire.arm.must('PUT', wire.at(`galleries/g/applications/${name}/versions/${version}`), {
      location: 'westeurope',
      properties: {
        publishingProfile: {
          ...regions,
          source: { mediaLink, defaultConfigurationLink },
          manageActions: { install: 'sh ./program install', remove: 'sh ./program remove', ...actions },
          settings: { packageFileName: 'program', configFileName: 'settings' },
        },
      },
    })
  }

  const vm = wireAt('virtualMachines/one')
  function wireAt(path: string) {
    return (suffix = ''): string => wire.at(`${path}${suffix}`, vmVersion)
  }
  const reference = (path: string): string => wire.id(`galleries/g/applications/${path}`)
  const body = (galleryApplications: readonly Json[]): Body => ({
    location: 'eastus',
    properties: {
      storageProfile: { imageReference: { id: wire.id('galleries/g/images/d') } },
      applicationProfile: { galleryApplications },
    },
  })
  const consoleLog = async (): Promise<string> => {
    const { body } = await wire.arm.call('POST', vm('/retrieveBootDiagnosticsData'))
    return (await fetch(body.serialConsoleLogBlobUri ?? '')).text()
  }
  const bootUp = async (count: number): Promise<string> =>
    eventually(async () => {
      const log = await consoleLog()
      const boots = log.split('goldleaf-guest ready:').length - 1
      assert.equal(boots, count, log.slice(-2000))
      return log.slice(log.lastIndexOf(`goldleaf-guest boot ${count}`))
    }, 90_000)
  const restart = async (): Promise<void> => {
    await wire.arm.must('POST', `${vm('/powerOff')}&skipShutdown=true`)
    await wire.arm.must('POST', vm('/start'))
  }

  const decisive = { treatFailureAsDeploymentFailure: true }

  test('the guest installs them in their order, each with its configuration', async () => {
    const created = await wire.arm.must(
      'PUT',
      vm(),
      body([
        { packageReferenceId: reference('tool/versions/1.0.0'), order: 2, configurationReference: extra, ...decisive },
        { packageReferenceId: reference('agent/versions/latest'), order: 1 },
      ]),
    )
    const shown = created.body.properties as {
      readonly applicationProfile?: { readonly galleryApplications?: readonly object[] }
    }
    assert.equal(shown.applicationProfile?.galleryApplications?.length, 2)
    const said = await bootUp(1)
    const agent = said.indexOf('agent 1.0.1: install with defaults')
    const tool = said.indexOf('tool 1.0.0: install with own')
    assert.ok(agent > 0 && tool > agent, said)
    assert.match(said, /goldleaf-apps: tool 1\.0\.0: install done/)
  })

  interface Extension {
    readonly name: string
    readonly statuses: readonly { readonly code: string; readonly message: string }[]
  }
  /** What the instance view says of the applications, as Azure says it: JSON in a message. */
  async function told(path = vm('/instanceView')): Promise<{ readonly code: string; readonly results: object }> {
    const { body: view } = await wire.arm.call('GET', path)
    const { extensions } = view as { readonly extensions?: readonly Extension[] }
    assert.equal(extensions?.[0]?.name, 'VMAppExtension')
    const { code = '', message = '' } = extensions[0].statuses[0] ?? {}
    const { CurrentState } = JSON.parse(message.slice(message.indexOf('{'))) as {
      CurrentState: readonly { applicationName: string; version: string; result: string }[]
    }
    const results = CurrentState.map((one) => [`${one.applicationName} ${one.version}`, one.result])
    return { code, results: Object.fromEntries(results) as object }
  }

  test('the guest has reported: the instance view says how each ended', async () => {
    const success = { 'agent 1.0.1': 'Install SUCCESS', 'tool 1.0.0': 'Install SUCCESS' }
    // The creation waited for the one whose failure would have been its own, and the other came before it.
    assert.deepEqual(await told(), { code: 'ProvisioningState/succeeded', results: success })
  })

  test('a failure is that of the deployment where it was asked for; the machine runs', async () => {
    const failing = [
      { packageReferenceId: reference('tool/versions/2.0.0'), order: 1, treatFailureAsDeploymentFailure: true },
      { packageReferenceId: reference('agent/versions/1.0.0'), order: 2 },
    ]
    const two = wireAt('virtualMachines/two')
    const ended = await wire.arm.settle(await wire.arm.call('PUT', two(), body(failing)))
    const said = JSON.stringify(ended)
    assert.match(said, /VMExtensionProvisioningError/)
    assert.match(said, /tool 2\.0\.0: Install FAILED .*exit 7.*exit status=7\\nno license/)
    assert.equal((await wire.arm.call('GET', two())).body.properties?.provisioningState, 'Failed')
    const { code, results } = await eventually(async () => {
      const now = await told(two('/instanceView'))
      assert.match(JSON.stringify(now.results), /"agent 1\.0\.0":"Install Skipped, lower order operation failed"/)
      return now
    })
    assert.equal(code, 'ProvisioningState/failed', JSON.stringify(results))
    const good = [{ packageReferenceId: reference('tool/versions/1.0.1'), treatFailureAsDeploymentFailure: true }]
    await wire.arm.must('PATCH', two(), { properties: { applicationProfile: { galleryApplications: good } } })
    assert.deepEqual((await told(two('/instanceView'))).results, { 'tool 1.0.1': 'Install SUCCESS' })
    await wire.arm.must('DELETE', two())
  })

  test('while it runs: another version is put in place of the old one, what left the list is removed', async () => {
    const galleryApplications = [{ packageReferenceId: reference('tool/versions/1.0.1') }]
    await wire.arm.must('PATCH', vm(), { properties: { applicationProfile: { galleryApplications } } })
    // Its bytes are the machine's own by now.
    await wire.arm.must('DELETE', wire.at('galleries/g/applications/agent/versions/1.0.1'))
    const said = await eventually(async () => {
      const log = await consoleLog()
      assert.match(log, /tool 1\.0\.1: install done/)
      return log
    })
    assert.match(said, /tool 1\.0\.0: remove with own/)
    assert.match(said, /tool 1\.0\.1: install with defaults/)
    assert.match(said, /agent 1\.0\.1: remove with defaults/)
    assert.match(said, /goldleaf-apps: agent removed/)
    assert.deepEqual((await told()).results, { 'tool 1.0.1': 'Install SUCCESS' })
    await restart()
    assert.doesNotMatch(await bootUp(2), /install with|remove with/)
  })

  test('a version that is published later reaches the machine that wants it', async () => {
    const galleryApplications = [
      { packageReferenceId: reference('agent/versions/latest'), enableAutomaticUpgrade: true },
    ]
    await wire.arm.must('PATCH', vm(), { properties: { applicationProfile: { galleryApplications } } })
    await publishApplication('agent', '1.0.12')
    await eventually(
      async () => assert.deepEqual((await told()).results, { 'agent 1.0.12': 'Install SUCCESS' }),
      60_000,
    )
  })

  test('what cannot be delivered is refused', async () => {
    const wish = (more: object, status: number, code: string, says: RegExp): Refusal => ({
      why: says.source,
      path: wire.at('virtualMachines/three', vmVersion),
      body: body([{ packageReferenceId: reference('tool/versions/1.0.1'), ...more }]),
      status,
      code,
      says,
    })
    const refused = [
      wish(
        { packageReferenceId: reference('tool/versions/9.9.9') },
        404,
        'GalleryImageNotFound',
        /9\.9\.9 is not available in eastus region/,
      ),
      wish({ packageReferenceId: wire.id('galleries/g/images/d') }, 404, 'GalleryImageNotFound', /images\/d/),
      wish(
        { packageReferenceId: reference('other/versions/1.0.0') },
        400,
        'InvalidParameter',
        /^Current VM Application Version other supports OS Windows, while current OSDisk's OS is Linux\.$/,
      ),
      wish(
        { enableAutomaticUpgrade: true },
        400,
        'InvalidParameter',
        /enableAutomaticUpgrade is invalid.*\/versions\/latest/,
      ),
      wish({ configurationReference: `${extra}.gone` }, 400, 'InvalidParameter', /\.gone does not exist\.$/),
    ]
    for (const one of refused) await assertRefused(wire, one)
    await checkProfiles()
    const tool = { packageReferenceId: reference('tool/versions/1.0.1') }
    const invalid = (says: RegExp) => wish({}, 400, 'InvalidParameter', says)
    await assertRefused(wire, {
      ...invalid(/^More than one VM Application .* same packageReferenceId/),
      body: body([tool, tool]),
    })
    await assertRefused(wire, {
      ...invalid(/^The maximum number of VM applications \(max=25, current=26\) has been exceeded/),
      body: body(Array.from({ length: 26 }, () => tool)),
    })
    await assertRefused(wire, {
      ...invalid(/'tool' is named twice/),
      body: body(['1.0.0', '1.0.1'].map((name) => ({ packageReferenceId: reference(`tool/versions/${name}`) }))),
    })
  })

  /** A profile is checked for its endpoint, system and region, and shown; here nothing else is done with it. */
  async function checkProfiles(): Promise<void> {
    const profile = 'galleries/g/inVMAccessControlProfiles/host'
    const location = 'westeurope'
    const kind = { osType: 'Linux', applicableHostEndpoint: 'IMDS' }
    await wire.arm.must('PUT', wire.at(profile), { location, properties: kind })
    const everywhere = { mode: 'Audit', defaultAccess: 'Allow', targetLocations: regions.targetRegions }
    const only = { ...everywhere, targetLocations: [{ name: location }] }
    await wire.arm.must('PUT', wire.at(`${profile}/versions/1.0.0`), { location, properties: everywhere })
    await wire.arm.must('PUT', wire.at(`${profile}/versions/1.0.1`), { location, properties: only })
    const patch = (member: string, version: string): Body => {
      const inVMAccessControlProfileReferenceId = wire.id(`${profile}/versions/${version}`)
      const proxyAgentSettings = { enabled: true, [member]: { inVMAccessControlProfileReferenceId } }
      return { properties: { securityProfile: { proxyAgentSettings } } }
    }
    for (const [member, version, says] of [
      ['wireServer', '1.0.0', /is for IMDS, not for WireServer/],
      ['imds', '1.0.1', /not published to 'eastus'/],
      ['imds', '9.0.0', /no such version/],
    ] as const)
      await assertRefused(wire, {
        why: version,
        method: 'PATCH',
        path: vm(),
        body: patch(member, version),
        status: 400,
        code: 'InvalidParameter',
        says,
      })
    await wire.arm.must('PATCH', vm(), patch('imds', '1.0.0'))
    const { body } = await wire.arm.call('GET', vm())
    assert.match(JSON.stringify(body), /"imds":\{"inVMAccessControlProfileReferenceId"/)
  }
})
