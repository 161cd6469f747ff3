import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Answer } from '../support/goldleaf.ts'
import { eventually } from '../support/goldleaf.ts'
import { fixedVhd } from './vhd.ts'
import { openWire, versionBody, vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'

const said = 'goldleaf wire sector'

/** A boot sector that writes `said` to COM1 and halts: a guest of 512 bytes, without any userland. */
function bootSector(): Buffer<ArrayBuffer> {
  const text = Buffer.from(`${said}\r\n\0`, 'latin1')
  const code = Buffer.from(
    [
      '31c0 8ed8', // xor ax,ax; mov ds,ax
      'be167c', // mov si,0x7c16: the text
      'baf803', // mov dx,0x3f8: COM1
      'ac', // next: lodsb
      '84c0 7403', // test al,al; jz halt
      'ee ebf8', // out dx,al; jmp next
      'faf4 ebfd', // halt: cli; hlt; jmp hlt
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )
  const disk = Buffer.alloc(1024 * 1024)
  disk.set(code, 0)
  disk.set(text, 0x16)
  disk.set([0x55, 0xaa], 510)
  return disk
}

interface Statuses {
  readonly statuses?: readonly { readonly code: string }[]
}

/** The minimal life of a virtual machine: an image in, power on and off, its console, and gone. */
suite('virtual machines on the wire', { timeout: 120_000 }, () => {
  let wire: Wire
  let uri = ''
  before(async () => {
    wire = await openWire()
    await wire.gallery('g')
    await wire.definition('g/d')
    uri = await wire.blob('boot.vhd', fixedVhd(bootSector()))
    const targetRegions = [{ name: 'westeurope' }, { name: 'eastus' }]
    await wire.publish('g/d/1.0.0', uri, { targetRegions })
    await wire.publish('g/d/1.0.1', uri, { targetRegions })
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const at = (path: string, query = ''): string => wire.at(`virtualMachines/${path}`, vmVersion, query)
  const vmBody = (imageId: string): object => ({
    location: 'eastus',
    properties: {
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: { imageReference: { id: imageId } },
      networkProfile: { networkInterfaces: [] },
    },
  })
  const power = async (): Promise<string | undefined> => {
    const { status, body } = await wire.arm.call('GET', at('one/instanceView'))
    assert.equal(status, 200, JSON.stringify(body))
    return body.statuses?.find(({ code }) => code.startsWith('PowerState/'))?.code
  }
  const act = async (action: string, query = ''): Promise<Answer> => {
    const started = await wire.arm.call('POST', at(`one/${action}`, query))
    assert.equal(started.status, 202, JSON.stringify(started.body))
    assert.match(started.headers.get('azure-asyncoperation') ?? '', /\/locations\/eastus\/operations\//)
    assert.ok(started.headers.get('location'))
    const done = await wire.arm.settle(started)
    assert.equal(done.status, 'Succeeded', JSON.stringify(done))
    return started
  }
  const consoleLog = async (): Promise<string> => {
    const { body } = await wire.arm.call('POST', at('one/retrieveBootDiagnosticsData'))
    return (await fetch(body.serialConsoleLogBlobUri ?? '')).text()
  }

  test('created from the definition: latest of its region, running, and the guest is heard on the serial console', async () => {
    const created = await wire.arm.call('PUT', at('one'), vmBody(wire.id('galleries/g/images/d')))
    assert.equal(created.status, 201, JSON.stringify(created.body))
    assert.equal(created.headers.get('location'), null)
    assert.equal(created.body.properties?.storageProfile?.imageReference?.exactVersion, '1.0.1')
    assert.equal(created.body.properties?.storageProfile?.imageReference?.id, wire.id('galleries/g/images/d'))
    const done = await wire.arm.settle(created)
    assert.equal(done.status, 'Succeeded', JSON.stringify(done))
    assert.equal(await power(), 'PowerState/running')
    await eventually(async () => assert.ok((await consoleLog()).includes(said)), 60_000)
    const { body } = await wire.arm.call('GET', at('one', '&$expand=instanceView'))
    const view = (body.properties as { readonly instanceView?: Statuses } | undefined)?.instanceView
    assert.ok(view?.statuses?.some(({ code }) => code === 'ProvisioningState/succeeded'))
  })

  test('restart, power off, start, deallocate: the instance view says what is', async () => {
    const steps = [
      { action: 'restart', query: '', state: 'PowerState/running' },
      { action: 'powerOff', query: '&skipShutdown=true', state: 'PowerState/stopped' },
      { action: 'start', query: '', state: 'PowerState/running' },
    ]
    for (const { action, query, state } of steps) {
      // A guest of one sector knows no ACPI: only the forced way is quick.
      if (action === 'restart') await act('powerOff', '&skipShutdown=true').then(() => act('start'))
      else await act(action, query)
      assert.equal(await power(), state, action)
    }
    await act('powerOff', '&skipShutdown=true')
    const refused = await wire.arm.call('POST', at('one/restart'))
    assert.equal(refused.status, 409)
    assert.equal(refused.body.error?.code, 'OperationNotAllowed')
    assert.equal(
      refused.body.error?.message,
      "Cannot restart virtual machine 'one' because it is not running. Start it first.",
    )
    await act('deallocate')
    assert.equal(await power(), 'PowerState/deallocated')
    await act('start')
    assert.equal(await power(), 'PowerState/running')
  })

  test('the image and its version may not change; tags may', async () => {
    const patched = await wire.arm.must('PATCH', at('one'), { tags: { owner: 'wire' } })
    assert.deepEqual(patched.body.tags, { owner: 'wire' })
    const refused = await wire.arm.call('PUT', at('one'), vmBody(wire.id('galleries/g/images/d/versions/1.0.0')))
    assert.equal(refused.status, 409)
    assert.equal(refused.body.error?.code, 'PropertyChangeNotAllowed')
    assert.equal(refused.body.error?.target, 'imageReference.id')
  })

  test('it stands when its version is deleted, and starts again', async () => {
    await wire.arm.must('DELETE', wire.at('galleries/g/images/d/versions/1.0.1'))
    await act('powerOff', '&skipShutdown=true')
    await act('start')
    assert.equal(await power(), 'PowerState/running')
    const { body } = await wire.arm.call('GET', at('one'))
    assert.equal(body.properties?.storageProfile?.imageReference?.exactVersion, '1.0.1')
  })

  test('deleted: 202 with both headers, then 404, the list is empty and its log is gone', async () => {
    const { body } = await wire.arm.call('POST', at('one/retrieveBootDiagnosticsData'))
    const deleted = await wire.arm.call('DELETE', at('one'))
    assert.equal(deleted.status, 202)
    assert.ok(deleted.headers.get('location'))
    assert.equal((await wire.arm.settle(deleted)).status, 'Succeeded')
    assert.equal((await wire.arm.call('GET', at('one'))).status, 404)
    assert.deepEqual((await wire.arm.call('GET', wire.at('virtualMachines', vmVersion))).body.value, [])
    assert.equal((await fetch(body.serialConsoleLogBlobUri ?? '')).status, 404)
    assert.equal((await wire.arm.call('DELETE', at('one'))).status, 204)
  })

  test('by version, and latest passes over what is excluded', async () => {
    await wire.arm.must('PUT', wire.at('galleries/g/images/d/versions/2.0.0'), {
      ...versionBody(uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }], excludeFromLatest: true }),
    })
    for (const [name, id, exact] of [
      ['two', wire.id('galleries/g/images/d'), '1.0.0'],
      ['three', wire.id('galleries/g/images/d/versions/2.0.0'), '2.0.0'],
    ] as const) {
      const created = await wire.arm.call('PUT', at(name), vmBody(id))
      assert.equal(created.status, 201, JSON.stringify(created.body))
      assert.equal(created.body.properties?.storageProfile?.imageReference?.exactVersion, exact)
      await wire.arm.settle(await wire.arm.call('DELETE', at(name)))
    }
  })
})
