import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { armCaller, startGoldleaf } from '../support/goldleaf.ts'

/** behaviour.md J: limits are per subscription and region, and configuration. */
test('a creation beyond a configured limit is refused, updates and other regions are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-quota-'))
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify({ limits: { galleries: 1, imageDefinitions: 1, applications: 1 } }))
  await using server = await startGoldleaf({ data: join(folder, 'data'), args: ['--config', config] })
  const arm = armCaller(server)
  const base = `/subscriptions/${server.env.subscriptionId}/resourceGroups/quota`
  const api = 'api-version=2023-07-03'
  await arm.must('PUT', `${base}?api-version=2021-04-01`, { location: 'westeurope' })
  const gallery = (name: string): string => `${base}/providers/Microsoft.Compute/galleries/${name}`
  const definition = (sku: string) => ({
    location: 'westeurope',
    properties: { osType: 'Linux', osState: 'Generalized', identifier: { publisher: 'p', offer: 'o', sku } },
  })
  await arm.must('PUT', `${gallery('one')}?${api}`, { location: 'westeurope' })
  await arm.must('PUT', `${gallery('one')}?${api}`, { location: 'westeurope', tags: { changed: 'yes' } })
  await arm.must('PUT', `${gallery('elsewhere')}?${api}`, { location: 'eastus' })
  await arm.must('PUT', `${gallery('one')}/images/a?${api}`, definition('a'))
  const application = { location: 'westeurope', properties: { supportedOSType: 'Linux' } }
  await arm.must('PUT', `${gallery('one')}/applications/a?${api}`, application)
  const refused = [
    [
      `${gallery('two')}?${api}`,
      { location: 'westeurope' },
      /approved Galleries quota.*Current Limit: 1, Current Usage: 1/,
    ],
    [`${gallery('one')}/images/b?${api}`, definition('b'), /approved GalleryImages quota.*Location: westeurope/],
    [`${gallery('one')}/applications/b?${api}`, application, /approved GalleryApplications quota.*Current Limit: 1/],
  ] as const
  for (const [path, body, says] of refused) {
    const answer = await arm.call('PUT', path, body)
    assert.equal(answer.status, 409)
    assert.equal(answer.body.error?.code, 'OperationNotAllowed')
    assert.match(answer.body.error?.message ?? '', says)
    assert.equal((await arm.call('GET', path)).status, 404, 'a refused creation left something behind')
  }
  const usages = `/subscriptions/${server.env.subscriptionId}/providers/Microsoft.Compute/locations/westeurope/usages`
  const { body } = await arm.call('GET', `${usages}?api-version=2024-03-01`)
  type Usage = { name: { value: string; localizedValue: string }; currentValue: number; limit: number }
  const listed = (body.value ?? []) as unknown as readonly Usage[]
  assert.deepEqual(
    listed
      .filter(({ name }) => name.value.startsWith('Gallery'))
      .map((usage) => [usage.name.localizedValue, usage.currentValue, usage.limit]),
    [
      ['Gallery', 1, 1],
      ['Gallery Image', 1, 1],
      ['Gallery Image Version', 0, 10_000],
      ['Gallery Application', 1, 1],
      ['Gallery Application Version', 0, 300],
      ['Gallery Script', 0, 1_000],
      ['Gallery Script Version', 0, 300],
      ['Gallery In VM Access Control Profile', 0, 1_000],
      ['Gallery In VM Access Control Profile Version', 0, 300],
    ],
  )
  await rm(folder, { recursive: true, force: true })
})
