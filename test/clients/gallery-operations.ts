import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** An operation of Microsoft.Compute/galleries, and what is of it below locations: contract.md section 2. */
interface GalleryOperation {
  readonly name: string
  readonly method: string
  readonly path: RegExp
  readonly since: string
}

const group = '/subscriptions/*/resourceGroups/*/providers/Microsoft.Compute'
const place = '/subscriptions/*/providers/Microsoft.Compute/locations/*'
const oldest = '2018-06-01'
const patched = '2019-07-01'

const of = (name: string, method: string, path: string, since: string): GalleryOperation => ({
  name,
  method,
  path: new RegExp(`^${path.replaceAll('*', '[^/]+')}$`, 'i'),
  since,
})

/** The five of a type below a gallery. */
const artifact = (name: string, path: string, since: string, patchSince = since): GalleryOperation[] => [
  of(`${name}: create or replace`, 'PUT', `${group}/galleries/*/${path}/*`, since),
  of(`${name}: update`, 'PATCH', `${group}/galleries/*/${path}/*`, patchSince),
  of(`${name}: get`, 'GET', `${group}/galleries/*/${path}/*`, since),
  of(`${name}: list`, 'GET', `${group}/galleries/*/${path}`, since),
  of(`${name}: delete`, 'DELETE', `${group}/galleries/*/${path}/*`, since),
]

/** One of what others shared, and a list of it. */
const shared = (name: string, path: string, get: string, list = get): GalleryOperation[] => [
  of(`${name}: get`, 'GET', `${place}/${path}/*`, get),
  of(`${name}: list`, 'GET', `${place}/${path}`, list),
]

const galleryOperations: readonly GalleryOperation[] = [
  of('galleries: create or replace', 'PUT', `${group}/galleries/*`, oldest),
  of('galleries: update', 'PATCH', `${group}/galleries/*`, patched),
  of('galleries: get', 'GET', `${group}/galleries/*`, oldest),
  of('galleries: delete', 'DELETE', `${group}/galleries/*`, oldest),
  of('galleries: list by resource group', 'GET', `${group}/galleries`, oldest),
  of('galleries: list', 'GET', '/subscriptions/*/providers/Microsoft.Compute/galleries', oldest),
  of('galleries: share', 'POST', `${group}/galleries/*/share`, '2020-09-30'),
  ...artifact('images', 'images', oldest, patched),
  ...artifact('image versions', 'images/*/versions', oldest, patched),
  ...artifact('applications', 'applications', '2019-03-01', patched),
  ...artifact('application versions', 'applications/*/versions', '2019-03-01', patched),
  ...artifact('access profiles', 'inVMAccessControlProfiles', '2024-03-03'),
  ...artifact('access profile versions', 'inVMAccessControlProfiles/*/versions', '2024-03-03'),
  ...artifact('scripts', 'scripts', '2025-03-03'),
  ...artifact('script versions', 'scripts/*/versions', '2025-03-03'),
  of(
    'soft-deleted versions: list',
    'GET',
    `${group}/galleries/*/softDeletedArtifactTypes/*/artifacts/*/versions`,
    '2024-03-03',
  ),
  ...shared('shared galleries', 'sharedGalleries', '2020-09-30'),
  ...shared('shared images', 'sharedGalleries/*/images', '2020-09-30'),
  ...shared('shared versions', 'sharedGalleries/*/images/*/versions', '2020-09-30'),
  of('community galleries: get', 'GET', `${place}/communityGalleries/*`, '2021-07-01'),
  ...shared('community images', 'communityGalleries/*/images', '2021-07-01', '2022-01-03'),
  ...shared('community versions', 'communityGalleries/*/images/*/versions', '2021-07-01', '2022-01-03'),
  ...['accept', 'reject'].flatMap((verb) => [
    of(`invites: ${verb}`, 'POST', `${place}/sharedGallerySubscriptions/*/sharedGalleries/*/${verb}`, '2025-12-03'),
    of(
      `tenant-level invites: ${verb}`,
      'POST',
      `/providers/Microsoft.Compute/locations/*/tenantLevelSharedGallerySubscriptions/*/sharedGalleries/*/${verb}`,
      '2025-12-03',
    ),
  ]),
]

interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
}

/**
 * The operations that an api-version has and of which none succeeded in this api-version, by what the server of this
 * process id wrote down (test/openapi/record-traffic.ts). Resource types move at different times, so `apiVersion` is
 * that of galleries.
 */
export function operationsNotCalled(traffic: string, processId: number, apiVersion: string): readonly string[] {
  const called = globSync(`${traffic}/${processId}-*.jsonl`)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Exchange)
    .filter(({ status }) => status < 400)
    .map(({ method, url }) => ({ method, url: new URL(url, 'http://goldleaf') }))
    .filter(({ url }) => url.searchParams.get('api-version') === apiVersion)
  return galleryOperations
    .filter(({ since }) => since <= apiVersion)
    .filter(({ method, path }) => !called.some((one) => one.method === method && path.test(join(one.url.pathname))))
    .map(({ name }) => name)
}
