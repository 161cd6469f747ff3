import { computeApiVersions } from '../contract/api-versions.ts'
import { skuApiVersions } from '../contract/services.ts'
import type { JsonObject } from '../base/json.ts'
import type { Region, RegionDirectory } from '../base/region.ts'
import type { Db } from '../db/tables.ts'
import { readGalleryUsages } from '../gallery/quota.ts'
import type { GalleryLimits } from '../gallery/dependencies.ts'
import type { ProviderList } from '../resources/provider-list.ts'
import { readComputeUsages, type ComputeQuota } from './quota.ts'
import { knownVmSizes, type KnownVmSize } from './vm-size.ts'

export interface ProviderListDependencies {
  readonly db: Db
  readonly regions: RegionDirectory
  readonly computeQuota: ComputeQuota
  readonly galleryLimits: GalleryLimits
}

/** What Microsoft.Compute lists without storing it: how much is used, which sizes and storage classes there are. */
export function computeLists(deps: ProviderListDependencies): readonly ProviderList[] {
  return [
    {
      type: 'Microsoft.Compute/locations/usages',
      apiVersions: computeApiVersions,
      permission: 'Microsoft.Compute/locations/usages/read',
      async list({ subscriptionId, region }) {
        const place = { subscriptionId, location: region?.name ?? '' }
        const usages = [
          ...(await readComputeUsages(deps.db, place, deps.computeQuota)),
          ...(await readGalleryUsages(deps.db, place, deps.galleryLimits)),
        ]
        return usages.map(({ name, label, used, limit }) => ({
          limit,
          unit: 'Count',
          currentValue: used,
          name: { value: name, localizedValue: label },
        }))
      },
    },
    {
      type: 'Microsoft.Compute/locations/vmSizes',
      apiVersions: computeApiVersions,
      permission: 'Microsoft.Compute/locations/vmSizes/read',
      list: async () => knownVmSizes.map(showVmSize),
    },
    {
      type: 'Microsoft.Compute/skus',
      apiVersions: skuApiVersions,
      permission: 'Microsoft.Compute/skus/read',
      filtersByLocation: true,
      async list({ filterRegion, withEdgeZones }) {
        const regions = filterRegion === undefined ? deps.regions.all : [filterRegion]
        return regions.flatMap((region) => {
          const inside = placeOf(region)
          const anywhere = withEdgeZones ? withEdges(inside, region) : inside
          return [
            ...knownVmSizes.map((size) => machineSku(size, anywhere)),
            ...storageClasses.flatMap((one) =>
              isIn(one, region) ? diskSkus(one, one.isZoned ? inside : anywhere) : [],
            ),
          ]
        })
      },
    },
  ]
}

/** Azure's bound of an OS disk, and what a size without a temporary disk has of one. */
const osDiskSizeInMB = 1_047_552
const resourceDiskSizeInMB = 0

function showVmSize({ name, cpus, memoryMiB, maximumDataDisks }: KnownVmSize): JsonObject {
  return {
    name,
    numberOfCores: cpus,
    osDiskSizeInMB,
    resourceDiskSizeInMB,
    memoryInMB: memoryMiB,
    maxDataDiskCount: maximumDataDisks,
  }
}

function machineSku(size: KnownVmSize, place: SkuPlace): JsonObject {
  const { name, cpus, memoryMiB, maximumDataDisks, family, hasPremiumDisks } = size
  const [tier = '', ...rest] = name.split('_')
  return {
    resourceType: 'virtualMachines',
    name,
    tier,
    size: rest.join('_'),
    family,
    ...place,
    capabilities: capabilities({
      MaxResourceVolumeMB: resourceDiskSizeInMB,
      OSVhdSizeMB: osDiskSizeInMB,
      vCPUs: cpus,
      MemoryPreservingMaintenanceSupported: false,
      HyperVGenerations: 'V1,V2',
      MemoryGB: memoryMiB / 1_024,
      MaxDataDiskCount: maximumDataDisks,
      CpuArchitectureType: 'x64',
      LowPriorityCapable: false,
      PremiumIO: hasPremiumDisks,
      vCPUsAvailable: cpus,
      vCPUsPerCore: 1,
      EphemeralOSDiskSupported: false,
      EncryptionAtHostSupported: false,
      AcceleratedNetworkingEnabled: false,
      RdmaEnabled: false,
      MaxNetworkInterfaces: 1,
    }),
    restrictions: [],
  }
}

interface StorageClass {
  readonly name: string
  readonly tier: string
  /** Kept in three zones: only where a region has as many. */
  readonly isZoned: boolean
  readonly hasSnapshots: boolean
}

const storageClasses: readonly StorageClass[] = [
  { name: 'Standard_LRS', tier: 'Standard', isZoned: false, hasSnapshots: true },
  { name: 'StandardSSD_LRS', tier: 'Standard', isZoned: false, hasSnapshots: false },
  { name: 'Premium_LRS', tier: 'Premium', isZoned: false, hasSnapshots: true },
  { name: 'Standard_ZRS', tier: 'Standard', isZoned: true, hasSnapshots: true },
]

const isIn = ({ isZoned }: StorageClass, region: Region): boolean => !isZoned || region.zones.length >= 3

function diskSkus({ name, tier, hasSnapshots }: StorageClass, place: SkuPlace): JsonObject[] {
  const sku = (resourceType: string): JsonObject => ({
    resourceType,
    name,
    tier,
    ...place,
    capabilities: [],
    restrictions: [],
  })
  return [...(name === 'Standard_ZRS' ? [] : [sku('disks')]), ...(hasSnapshots ? [sku('snapshots')] : [])]
}

/** Where a SKU is to be had. */
interface SkuPlace {
  readonly locations: readonly string[]
  readonly locationInfo: readonly JsonObject[]
}

function placeOf(region: Region): SkuPlace {
  const zones = region.zones.map((_, index) => String(index + 1))
  return { locations: [region.name], locationInfo: [{ location: region.name, zones, zoneDetails: [] }] }
}

function withEdges({ locations, locationInfo }: SkuPlace, { name: location, edgeZones = [] }: Region): SkuPlace {
  const extendedLocations = edgeZones.map(({ name }) => name)
  if (extendedLocations.length === 0) return { locations, locationInfo }
  return { locations, locationInfo: [...locationInfo, { location, extendedLocations, type: 'EdgeZone' }] }
}

/** Azure writes every value as a text, truth with a capital. */
function capabilities(values: Readonly<Record<string, string | number | boolean>>): JsonObject[] {
  return Object.entries(values).map(([name, value]) => ({
    name,
    value: typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value),
  }))
}
