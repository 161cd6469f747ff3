import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ArmDocument } from '../support/goldleaf.ts'
import { eventually } from '../support/goldleaf.ts'
import { fixedVhd, someDisk, vhdFooter } from './vhd.ts'
import { definitionBody, diskVersion, openWire, versionBody } from './wire.ts'
import type { Body, Json, Wire } from './wire.ts'

suite('disks, snapshots and signed addresses on the wire', () => {
  let wire: Wire
  const disk = someDisk(4)
  const vhd = fixedVhd(disk)
  before(async () => {
    wire = await openWire()
    await wire.gallery('g')
    await wire.definition('g/d')
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const at = (path: string): string => wire.at(path, diskVersion)
  const stateOf = async (path: string): Promise<string> =>
    (await wire.arm.call('GET', at(path))).body.properties?.diskState ?? ''
  const create = (path: string, creationData: Json, more: Body = {}): Promise<unknown> =>
    wire.arm.must('PUT', at(path), { location: 'westeurope', properties: { creationData, ...more } })
  /** beginGetAccess as clients follow it: 202, the operation, then the final body under Location. */
  async function access(path: string, kind: 'Read' | 'Write', seconds = 600): Promise<string> {
    const started = await wire.arm.call('POST', at(`${path}/beginGetAccess`), {
      access: kind,
      durationInSeconds: seconds,
    })
    assert.equal(started.status, 202, JSON.stringify(started.body))
    const done = await wire.arm.settle(started)
    assert.equal(done.status, 'Succeeded', JSON.stringify(done))
    const end = await wire.arm.call('GET', started.headers.get('location') ?? '')
    assert.equal(end.status, 200)
    const output = (done.properties as { readonly output?: ArmDocument } | undefined)?.output
    assert.equal(output?.accessSAS, end.body.accessSAS, 'the operation shows the same address')
    return end.body.accessSAS ?? ''
  }
  const endAccess = async (path: string): Promise<ArmDocument> => {
    const started = await wire.arm.call('POST', at(`${path}/endGetAccess`))
    assert.equal(started.status, 202, JSON.stringify(started.body))
    return wire.arm.settle(started)
  }
  const download = async (url: string): Promise<Buffer> => {
    const answer = await fetch(url)
    assert.equal(answer.status, 200)
    return Buffer.from(await answer.arrayBuffer())
  }

  for (const kind of ['disks', 'snapshots'])
    test(`${kind} by upload: one plain PUT of a VHD, every state of the road, and the bytes back as VHD`, async () => {
      const path = `${kind}/plain`
      await create(path, { createOption: 'Upload', uploadSizeBytes: vhd.length }, { osType: 'Linux' })
      assert.equal(await stateOf(path), 'ReadyToUpload')
      const write = await access(path, 'Write')
      assert.equal(await stateOf(path), 'ActiveUpload')
      const put = await fetch(write, { method: 'PUT', body: vhd })
      assert.equal(put.status, 201, await put.text())
      assert.equal((await endAccess(path)).status, 'Succeeded')
      assert.equal(await stateOf(path), 'Unattached')
      const late = await fetch(write, { method: 'PUT', body: vhd })
      assert.ok([403, 404].includes(late.status), `the address is dead after endGetAccess: ${late.status}`)
      const read = await access(path, 'Read')
      assert.equal(await stateOf(path), 'ActiveSAS')
      const back = await download(read)
      assert.ok(back.subarray(0, disk.length).equals(disk), 'the same guest bytes')
      assert.equal(back.length, vhd.length)
      assert.equal(back.toString('latin1', disk.length, disk.length + 8), 'conectix')
      const inUse = await wire.arm.call('DELETE', at(path))
      assert.equal(inUse.status, 409)
      assert.equal(inUse.body.error?.code, 'OperationNotAllowed')
      await endAccess(path)
      assert.equal(await stateOf(path), 'Unattached')
      assert.equal((await fetch(read)).status, 403, 'revoked')
    })

  test('a disk by upload: Put Page in pieces as storage clients send them, holes left out', async () => {
    await create('disks/pages', { createOption: 'Upload', uploadSizeBytes: vhd.length })
    const write = await access('disks/pages', 'Write')
    const page = async (offset: number, bytes: Buffer<ArrayBuffer>): Promise<number> => {
      const answer = await fetch(`${write}&comp=page`, {
        method: 'PUT',
        headers: { 'x-ms-page-write': 'update', 'x-ms-range': `bytes=${offset}-${offset + bytes.length - 1}` },
        body: bytes,
      })
      await answer.arrayBuffer()
      return answer.status
    }
    const step = 64 * 1024
    for (let offset = 0; offset < disk.length; offset += step) {
      const bytes = disk.subarray(offset, offset + step)
      if (bytes.some((byte) => byte !== 0)) assert.equal(await page(offset, bytes), 201)
    }
    const early = await endAccess('disks/pages')
    assert.equal(early.status, 'Failed', 'without its footer it is no VHD')
    assert.equal(early.error?.code, 'InvalidVhd')
    assert.equal(await stateOf('disks/pages'), 'ActiveUpload', 'it can be sent again')
    const again = await access('disks/pages', 'Write')
    const footer = await fetch(`${again}&comp=page`, {
      method: 'PUT',
      headers: { 'x-ms-page-write': 'update', 'x-ms-range': `bytes=${disk.length}-${vhd.length - 1}` },
      body: vhdFooter(disk.length),
    })
    assert.equal(footer.status, 201, await footer.text())
    assert.equal((await endAccess('disks/pages')).status, 'Succeeded')
    const back = await download(await access('disks/pages', 'Read'))
    assert.ok(back.subarray(0, disk.length).equals(disk))
    await endAccess('disks/pages')
  })

  test('a version from an uploaded disk and one from a snapshot; disks from the image, by version and by latest', async () => {
    for (const [version, source] of [
      ['1.0.0', 'disks/plain'],
      ['1.0.1', 'snapshots/plain'],
    ])
      await wire.arm.must('PUT', wire.at(`galleries/g/images/d/versions/${version}`), {
        location: 'westeurope',
        properties: {
          storageProfile: { osDiskImage: { source: { id: wire.id(source ?? '') } } },
          publishingProfile: { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] },
        },
      })
    const images = [
      { name: 'byVersion', id: wire.id('galleries/g/images/d/versions/1.0.0') },
      { name: 'byLatest', id: wire.id('galleries/g/images/d') },
    ]
    for (const { name, id } of images) {
      await wire.arm.must('PUT', at(`disks/${name}`), {
        location: 'eastus',
        properties: { creationData: { createOption: 'FromImage', galleryImageReference: { id } } },
      })
      const { properties } = (await wire.arm.call('GET', at(`disks/${name}`))).body
      assert.equal(properties?.diskState, 'Unattached')
      assert.equal(properties?.hyperVGeneration, 'V1')
      const back = await download(await access(`disks/${name}`, 'Read'))
      assert.ok(back.subarray(0, disk.length).equals(disk))
      await endAccess(`disks/${name}`)
    }
    const bad = await wire.arm.call('PUT', at('disks/badLun'), {
      location: 'eastus',
      properties: {
        creationData: {
          createOption: 'FromImage',
          galleryImageReference: { id: wire.id('galleries/g/images/d'), lun: 3 },
        },
      },
    })
    assert.equal(bad.status, 400)
    assert.match(bad.body.error?.message ?? '', /^The value of parameter imageReference is invalid\./)
    const elsewhere = await wire.arm.call('PUT', at('disks/elsewhere'), {
      location: 'northeurope',
      properties: {
        creationData: { createOption: 'FromImage', galleryImageReference: { id: wire.id('galleries/g/images/d') } },
      },
    })
    assert.equal(elsewhere.status, 404)
    assert.equal(elsewhere.body.error?.code, 'GalleryImageNotFound')
    assert.equal(elsewhere.body.error?.target, 'imageReference')
  })

  test('a copy of a disk, a snapshot of a disk, and an empty disk; lists; deletion', async () => {
    await create('snapshots/copied', { createOption: 'Copy', sourceResourceId: wire.id('disks/plain') })
    await create('disks/restored', { createOption: 'Copy', sourceResourceId: wire.id('snapshots/copied') })
    await create('disks/empty', { createOption: 'Empty' }, { diskSizeGB: 2 })
    const back = await download(await access('disks/restored', 'Read'))
    assert.ok(back.subarray(0, disk.length).equals(disk))
    await endAccess('disks/restored')
    const { body } = await wire.arm.call(
      'GET',
      `${wire.subscription}/providers/Microsoft.Compute/disks?api-version=${diskVersion}`,
    )
    assert.deepEqual(
      body.value?.map(({ name }) => name),
      ['byLatest', 'byVersion', 'empty', 'pages', 'plain', 'restored'],
    )
    await wire.arm.must('PATCH', at('disks/empty'), { properties: { diskSizeGB: 4 } })
    const larger = (await wire.arm.call('GET', at('disks/empty'))).body.properties
    assert.equal((larger as { diskSizeBytes?: number }).diskSizeBytes, 4 * 1024 ** 3, 'it really grows')
    await wire.arm.must('PATCH', at('disks/restored'), { tags: { kept: 'yes' } })
    const grown = (await wire.arm.call('GET', at('disks/restored'))).body
    assert.deepEqual(grown.tags, { kept: 'yes' })
    await wire.arm.must('DELETE', at('disks/plain'))
    assert.equal((await wire.arm.call('GET', at('disks/plain'))).status, 404)
    const still = await download(await access('disks/restored', 'Read'))
    assert.ok(still.subarray(0, disk.length).equals(disk), 'a copy stands when its source is gone')
    await endAccess('disks/restored')
  })

  suite('the signed address of a replica', () => {
    let raw = ''
    before(async () => {
      const { body } = await wire.arm.call('POST', wire.at('galleries/g/images/d/versions/1.0.0/beginGetAccess'), {
        access: 'Read',
        durationInSeconds: 600,
        region: 'East US',
      })
      raw = body.accessSAS ?? ''
    })

    const size = disk.length
    const ranges: readonly { why: string; range: string; status: number; from?: number; to?: number }[] = [
      { why: 'a piece', range: 'bytes=510-511', status: 206, from: 510, to: 512 },
      { why: 'over a frame border', range: 'bytes=65000-66000', status: 206, from: 65_000, to: 66_001 },
      { why: 'to the end', range: `bytes=${size - 10}-`, status: 206, from: size - 10, to: size },
      { why: 'the last bytes', range: 'bytes=-7', status: 206, from: size - 7, to: size },
      { why: 'cut at the end', range: `bytes=${size - 5}-${size + 1000}`, status: 206, from: size - 5, to: size },
      { why: 'behind the end', range: `bytes=${size}-`, status: 416 },
      { why: 'backwards', range: 'bytes=9-3', status: 416 },
      { why: 'two at once', range: 'bytes=0-1,5-6', status: 416 },
    ]
    for (const { why, range, status, from = 0, to = 0 } of ranges)
      test(`range ${why}: ${status}`, async () => {
        const answer = await fetch(raw, { headers: { range } })
        assert.equal(answer.status, status)
        const bytes = Buffer.from(await answer.arrayBuffer())
        if (status === 416) {
          assert.equal(answer.headers.get('content-range'), `bytes */${size}`)
          assert.equal(answer.headers.get('x-ms-error-code'), 'InvalidRange')
          return
        }
        assert.equal(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/${size}`)
        assert.ok(bytes.equals(disk.subarray(from, to)))
      })

    test('HEAD tells size and etag without a body; the etag serves conditions', async () => {
      const head = await fetch(raw, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), String(size))
      assert.equal(head.headers.get('accept-ranges'), 'bytes')
      const etag = head.headers.get('etag') ?? ''
      assert.equal((await fetch(raw, { headers: { 'if-none-match': etag } })).status, 304)
      assert.equal((await fetch(raw, { headers: { 'if-match': '"other"' } })).status, 412)
    })

    test('as VHD it is the same bytes and a footer that says their size', async () => {
      const { body } = await wire.arm.call('POST', wire.at('galleries/g/images/d/versions/1.0.0/beginGetAccess'), {
        access: 'Read',
        durationInSeconds: 600,
        region: 'eastus',
        format: 'vhd',
      })
      const bytes = await download(body.accessSAS ?? '')
      assert.ok(bytes.subarray(0, size).equals(disk))
      const footer = bytes.subarray(size)
      assert.equal(footer.length, 512)
      assert.equal(footer.readBigUInt64BE(48), BigInt(size))
      let sum = 0
      for (const [at, byte] of footer.entries()) if (at < 64 || at >= 68) sum += byte
      assert.equal(footer.readUInt32BE(64), ~sum >>> 0, 'its checksum is right')
    })

    const forgeries: readonly { why: string; change: (url: URL) => void }[] = [
      { why: 'no signature', change: (url) => url.searchParams.delete('sig') },
      { why: 'another signature', change: (url) => url.searchParams.set('sig', Buffer.alloc(32).toString('base64')) },
      { why: 'a later end', change: (url) => url.searchParams.set('se', '2099-01-01T00:00:00Z') },
      { why: 'more rights', change: (url) => url.searchParams.set('sp', 'rw') },
      { why: 'another region', change: (url) => void (url.pathname = url.pathname.replace('eastus', 'westeurope')) },
      {
        why: 'another disk',
        change: (url) => void (url.pathname = url.pathname.replace(/[0-9a-f]{64}/, 'a'.repeat(64))),
      },
    ]
    for (const { why, change } of forgeries)
      test(`forged with ${why}: 403 and not a byte`, async () => {
        const url = new URL(raw)
        change(url)
        const answer = await fetch(url)
        assert.equal(answer.status, 403)
        assert.equal(answer.headers.get('x-ms-error-code'), 'AuthenticationFailed')
        assert.match(await answer.text(), /<Code>AuthenticationFailed<\/Code>.*Ask for a new address/s)
      })

    test('expired after its seconds: 403', async () => {
      const { body } = await wire.arm.call('POST', wire.at('galleries/g/images/d/versions/1.0.0/beginGetAccess'), {
        access: 'Read',
        durationInSeconds: 1,
      })
      await eventually(async () => {
        const answer = await fetch(body.accessSAS ?? '', { headers: { range: 'bytes=0-0' } })
        const text = await answer.text()
        assert.equal(answer.status, 403)
        assert.match(text, /it has expired/)
      })
    })

    test('a signed address permits nothing but what it was made for', async () => {
      const put = await fetch(raw, { method: 'PUT', body: 'x' })
      assert.ok([403, 404, 405].includes(put.status), String(put.status))
      const arm = await fetch(`${wire.server.env.httpEndpoint}${wire.at('galleries')}&${new URL(raw).search.slice(1)}`)
      assert.equal(arm.status, 401)
    })
  })

  test('wrong kinds of source for a definition are refused with Azure’s words', async () => {
    await wire.arm.must('PUT', wire.at('galleries/g/images/gen2'), definitionBody('gen2', { hyperVGeneration: 'V2' }))
    const refused = await wire.arm.call('PUT', wire.at('galleries/g/images/gen2/versions/1.0.0'), {
      location: 'westeurope',
      properties: { storageProfile: { source: { id: wire.id('galleries/g/images/d/versions/1.0.0') } } },
    })
    assert.equal(refused.status, 400)
    assert.equal(
      refused.body.error?.message,
      `The resource with id '${wire.id('galleries/g/images/d/versions/1.0.0')}' has a different Hypervisor generation ['V1'] than the parent gallery image Hypervisor generation ['V2']`,
    )
    await wire.arm.must('PUT', wire.at('galleries/g/images/win'), definitionBody('win', { osType: 'Windows' }))
    const other = await wire.arm.call('PUT', wire.at('galleries/g/images/win/versions/1.0.0'), {
      location: 'westeurope',
      properties: { storageProfile: { osDiskImage: { source: { id: wire.id('snapshots/plain') } } } },
    })
    assert.equal(other.status, 400)
    assert.match(
      other.body.error?.message ?? '',
      /different OS type \['Linux'\] than the parent gallery image OS type generation \['Windows'\]$/,
    )
  })

  test('a page blob is a source as a block blob is', async () => {
    const uri = `${wire.server.env.httpEndpoint}/blob/wire/vhds/paged.vhd`
    const headers = { authorization: `Bearer ${wire.server.token}` }
    const made = await fetch(uri, {
      method: 'PUT',
      headers: { ...headers, 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': String(vhd.length) },
    })
    assert.equal(made.status, 201, await made.text())
    for (let offset = 0; offset < vhd.length; offset += 4 * 1024 * 1024) {
      const bytes = vhd.subarray(offset, offset + 4 * 1024 * 1024)
      const range = `bytes=${offset}-${offset + bytes.length - 1}`
      const answer = await fetch(`${uri}?comp=page`, {
        method: 'PUT',
        headers: { ...headers, 'x-ms-page-write': 'update', 'x-ms-range': range },
        body: bytes,
      })
      assert.equal(answer.status, 201, await answer.text())
    }
    await wire.arm.must('PUT', wire.at('galleries/g/images/d/versions/2.0.0'), versionBody(uri))
    const { body } = await wire.arm.call('POST', wire.at('galleries/g/images/d/versions/2.0.0/beginGetAccess'), {
      access: 'Read',
      durationInSeconds: 60,
    })
    assert.ok((await download(body.accessSAS ?? '')).equals(disk))
  })
})
