/**
 * The api-versions each resource provider answers, ascending. Sources: contract.md section 1 (galleries),
 * azure-resource-manager-schemas and the clients of CLIENTS.md (the others).
 */

/**
 * 2021-03-01 is not in the swagger repository but in the live service's own list. 2025-12-03 has the same model as
 * 2025-03-03 and is what `@azure/arm-compute` 25 sends. 2026-03-03 was live in September 2026.
 */
export const galleryApiVersions = [
  '2018-06-01',
  '2019-03-01',
  '2019-07-01',
  '2019-12-01',
  '2020-09-30',
  '2021-03-01',
  '2021-07-01',
  '2021-10-01',
  '2022-01-03',
  '2022-03-03',
  '2022-08-03',
  '2023-07-03',
  '2024-03-03',
  '2025-03-03',
  '2025-12-03',
  '2026-03-03',
] as const

/** The api-versions of a type below galleries that came later: applications, scripts … */
export const galleryApiVersionsSince = (first: (typeof galleryApiVersions)[number]): readonly string[] =>
  galleryApiVersions.filter((version) => version >= first)

/** Galleries, images and versions had no PATCH before; nor had applications. */
export const galleryPatchSince = '2019-07-01'

export const diskApiVersions = [
  '2018-04-01',
  '2018-06-01',
  '2018-09-30',
  '2019-03-01',
  '2019-07-01',
  '2019-11-01',
  '2020-05-01',
  '2020-06-30',
  '2020-09-30',
  '2020-12-01',
  '2021-04-01',
  '2021-08-01',
  '2021-12-01',
  '2022-03-02',
  '2022-07-02',
  '2023-01-02',
  '2023-04-02',
  '2023-10-02',
  '2024-03-02',
  '2025-01-02',
  '2026-03-02',
] as const

export const computeApiVersions = [
  '2018-04-01',
  '2018-06-01',
  '2018-10-01',
  '2019-03-01',
  '2019-07-01',
  '2019-12-01',
  '2020-06-01',
  '2020-12-01',
  '2021-03-01',
  '2021-04-01',
  '2021-07-01',
  '2021-11-01',
  '2022-03-01',
  '2022-08-01',
  '2022-11-01',
  '2023-03-01',
  '2023-07-01',
  '2023-09-01',
  '2024-03-01',
  '2024-07-01',
  '2024-11-01',
  '2025-04-01',
  '2025-11-01',
  '2026-03-01',
  '2026-04-01',
] as const

/** Resource groups, providers and deployments; az 2.45 sends 2021-04-01, packer 2018-02-01, Terraform 2020-06-01. */
export const resourcesApiVersions = [
  '2015-11-01',
  '2016-02-01',
  '2016-06-01',
  '2016-09-01',
  '2017-05-10',
  '2018-02-01',
  '2018-05-01',
  '2019-03-01',
  '2019-05-01',
  '2019-05-10',
  '2019-07-01',
  '2019-08-01',
  '2019-10-01',
  '2020-01-01',
  '2020-06-01',
  '2020-08-01',
  '2020-10-01',
  '2021-01-01',
  '2021-04-01',
  '2022-09-01',
  '2023-07-01',
  '2024-03-01',
  '2024-07-01',
  '2024-11-01',
  '2025-03-01',
  '2025-04-01',
] as const

/** Subscriptions, their locations, tenants. */
export const subscriptionsApiVersions = [
  '2014-04-01',
  '2015-11-01',
  '2016-06-01',
  '2018-02-01',
  '2018-06-01',
  '2019-05-01',
  '2019-06-01',
  '2019-10-01',
  '2019-11-01',
  '2020-01-01',
  '2020-05-01',
  '2020-06-01',
  '2020-08-01',
  '2020-10-01',
  '2021-01-01',
  '2021-04-01',
  '2022-01-01',
  '2022-09-01',
  '2022-12-01',
  '2024-11-01',
] as const

/** Microsoft.Subscription: aliases, cancel, rename, enable; az's extension `account` sends 2021-10-01. */
export const subscriptionManagementApiVersions = ['2020-09-01', '2021-10-01', '2024-08-01-preview'] as const
