import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { computeGroupOf, createRateLimiter, defaultRateLimits } from './rate-limits.ts'

const base = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute'
const groups: readonly (readonly [method: string, path: string, group: string | undefined])[] = [
  ['GET', `${base}/galleries/a`, 'GetGallery'],
  ['PUT', `${base}/galleries/a`, 'CreateUpdateGallery'],
  ['PATCH', `${base}/galleries/a/images/b/`, 'CreateUpdateGalleryImage'],
  ['GET', `${base}/galleries`, 'ListGalleryInResourceGroup'],
  ['DELETE', `${base}/Galleries/a/images/b/Versions/c`, 'DeleteGalleryImageVersion'],
  ['POST', `${base}/galleries/a/share`, 'PostShareGallery'],
  ['POST', `${base}/galleries/a/images/b/versions/c/verify`, undefined],
  ['GET', `${base}/galleries/a/applications/b`, 'GetGalleryApplication'],
  ['GET', `${base}/galleries/a/applications/b/versions`, 'ListGalleryApplicationVersionsInGalleryApplication'],
  ['PUT', `${base}/galleries/a/inVMAccessControlProfiles/b`, 'CreateUpdateGalleryInVMAccessControlProfile'],
  ['GET', `${base}/galleries/a/scripts/b`, undefined],
  [
    'GET',
    `${base}/galleries/a/softDeletedArtifactTypes/Images/artifacts/b/versions`,
    'ListSoftDeletedResourcesInGallery',
  ],
  ['GET', '/subscriptions/s/providers/Microsoft.Compute/locations/eastus/capsOperations/x', 'GetOperationStatus'],
  ['GET', '/subscriptions/s/resourceGroups/g', undefined],
]
for (const [method, path, group] of groups)
  test(`what Microsoft.Compute counts ${method} ${path} as`, () => assert.equal(computeGroupOf(method, path), group))

const caller = { objectId: 'o', tenantId: 't', name: 'n', kind: 'servicePrincipal', appId: 'a', roles: [] } as const
const request = { method: 'PUT', path: `${base}/galleries/a`, caller, subscriptionId: 's' }

test('what is left counts down to nothing; the window is then over', () => {
  let nowMs = 0
  const clock = { now: () => nowMs, sleep: () => Promise.resolve() }
  const limiter = createRateLimiter({ ...defaultRateLimits, isEnforced: true }, clock)
  assert.deepEqual(limiter.count(request), {
    headers: {
      'x-ms-ratelimit-remaining-subscription-writes': '1199',
      'x-ms-ratelimit-remaining-subscription-global-writes': '17999',
      'x-ms-ratelimit-remaining-resource':
        'Microsoft.Compute/CreateUpdateGallery3Min;49,Microsoft.Compute/CreateUpdateGallery30Min;299',
    },
    refusal: undefined,
  })
  for (let at = 1; at < 50; at++) assert.equal(limiter.count(request).refusal, undefined)
  const { refusal, headers } = limiter.count(request)
  assert.ok(refusal instanceof Problem)
  assert.equal(refusal.code, 'OperationNotAllowed')
  assert.equal(refusal.details?.[0]?.target, 'CreateUpdateGallery3Min')
  assert.equal(headers['retry-after'], '180')
  assert.equal(limiter.count({ ...request, subscriptionId: 'other' }).refusal, undefined)
  nowMs = 180_000
  assert.equal(limiter.count(request).refusal, undefined)
})

test('all callers of a subscription together may do as much as fifteen', () => {
  const enforced = { ...defaultRateLimits, isEnforced: true, subscriptionWrites: 1 }
  const limiter = createRateLimiter(enforced, { now: () => 0, sleep: () => Promise.resolve() })
  const call = (at: number) =>
    limiter.count({ ...request, path: '/', caller: { ...caller, objectId: `caller ${at}` } }).refusal
  for (let at = 0; at < 15; at++) assert.equal(call(at), undefined)
  assert.ok(call(15) instanceof Problem)
})

test('nothing is refused where limits are not enforced', () => {
  const limiter = createRateLimiter(defaultRateLimits, { now: () => 0, sleep: () => Promise.resolve() })
  for (let at = 0; at < 1_500; at++) assert.equal(limiter.count(request).refusal, undefined)
  assert.equal(limiter.count(request).headers['x-ms-ratelimit-remaining-subscription-writes'], '0')
})
