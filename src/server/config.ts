import { dirname, isAbsolute, join, resolve } from 'node:path'
import { defaultRateLimits } from '../arm/rate-limits.ts'
import type { RateLimits } from '../arm/rate-limits.ts'
import type { GalleryQuota } from '../gallery/dependencies.ts'
import { azureCloud } from '../identity/clouds.ts'
import type { Cloud } from '../identity/clouds.ts'
import { normalizeRegionName } from '../base/region.ts'
import type { Region } from '../base/region.ts'
import type { OutsideIssuer } from '../identity/outside-issuers.ts'
import { invalid, readConfigFile } from './config-file.ts'
import type { RegionEntry } from './config-file.ts'

/** Where to listen; port 0 asks the system for a free one. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Azure's service limits (behaviour.md section J). Counts are per subscription and region unless named otherwise. */
export interface Limits extends GalleryQuota {
  /** Per image version and region. */
  readonly replicas: number
  /** Per version of an application or script, and region. */
  readonly artifactReplicas: number
  readonly diskSizeGiB: number
  /** Of a disk that is copied to regions: a version with replicationMode Full. */
  readonly fullDiskSizeGiB: number
  /** Whom one gallery can be shared with directly. */
  readonly sharedSubscriptions: number
  readonly sharedTenants: number
  readonly virtualMachines: number
  /** Processors of all virtual machines, by what their sizes promise. */
  readonly cores: number
  /** Of each storage class. */
  readonly disks: number
  readonly snapshots: number
}

/** What /dev/kvm's presence does not tell: `auto` probes by booting (STACK.md section 0). */
export type Accelerator = 'auto' | 'kvm' | 'tcg'
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface ServerConfig {
  /** Absolute. Everything the server keeps is below it, but for region folders configured elsewhere. */
  readonly dataFolder: string
  readonly http: ListenAddress
  readonly https: ListenAddress
  /** Further host names or addresses under which clients reach this server: they go into its certificate. */
  readonly publicNames: readonly string[]
  readonly regions: readonly Region[]
  readonly limits: Limits
  readonly accelerator: Accelerator
  /** What clients are told to wait between two polls of an operation. */
  readonly retryAfterSeconds: number
  /** How long a virtual machine's operation waits for applications that are to fail it. */
  readonly applicationTimeoutSeconds: number
  readonly logLevel: LogLevel
  /** How long the activity log is kept. */
  readonly activityDays: number
  readonly rateLimits: RateLimits
  /** Under which name clients find this cloud, and its storage suffix. */
  readonly cloud: Cloud
  /** Which resource providers a subscription has before it registers any. */
  readonly providersRegistered: 'all' | 'none'
  /** Absolute. The operator's keys of disk encryption sets; best on a device of its own. */
  readonly keysFolder: string
  /** Host names of key vaults that the key folder stands for. */
  readonly keyVaults: readonly string[]
  /** Issuers besides this server whose tokens are taken: Entra ID, Keycloak, any OpenID provider. */
  readonly issuers: readonly OutsideIssuer[]
  /** Of `https://account.blob.SUFFIX/…`, under which clients may name blobs of accounts that this server has. */
  readonly storageSuffixes: readonly string[]
}

/** The flags of `goldleaf serve`, as text: what is absent comes from the configuration file, then from the defaults. */
export interface ServerFlags {
  readonly data?: string | undefined
  readonly listen?: string | undefined
  readonly listenHttps?: string | undefined
  readonly config?: string | undefined
  readonly logLevel?: string | undefined
}

/**
 * Azure documents 300 application versions of a region ("Considerations and current limits for VM applications"); of
 * the others nothing: definitions as many as of images, versions as many as of applications.
 */
const artifacts = {
  applications: 1_000,
  applicationVersions: 300,
  scripts: 1_000,
  scriptVersions: 300,
  accessProfiles: 1_000,
  accessProfileVersions: 300,
}
const sharing = { sharedSubscriptions: 30, sharedTenants: 5 }
/** Azure's limits of virtual machines and disks have not changed since; those of processors were each customer's own. */
const machines = { virtualMachines: 25_000, cores: 25_000, disks: 50_000, snapshots: 50_000 }

const counts = { galleries: 100, imageDefinitions: 1_000, imageVersions: 10_000 }
const early = { replicas: 10, artifactReplicas: 3, diskSizeGiB: 1_024, fullDiskSizeGiB: 1_024 }
const always = { ...artifacts, ...sharing, ...machines }

/** Azure's limits of three times; `today` is the default. `2020` is what the 2020 documentation states. */
const limitProfiles: Readonly<Record<'today' | '2020' | 'preview', Limits>> = {
  today: { ...counts, replicas: 100, artifactReplicas: 10, diskSizeGiB: 32_768, fullDiskSizeGiB: 2_048, ...always },
  '2020': { ...counts, ...early, ...always },
  preview: { galleries: 10, imageDefinitions: 200, imageVersions: 2_000, ...early, ...always },
}

/** Those of Azure's own clouds. */
const azureStorageSuffixes = ['core.windows.net', 'core.chinacloudapi.cn', 'core.usgovcloudapi.net']

/** Azure's names for places that have three zones there too. Only what is configured exists. */
const defaultRegions: readonly RegionEntry[] = [
  { name: 'westeurope', displayName: 'West Europe', zones: 3, pairedRegion: 'northeurope', geographyGroup: 'Europe' },
  { name: 'northeurope', displayName: 'North Europe', zones: 3, pairedRegion: 'westeurope', geographyGroup: 'Europe' },
  { name: 'eastus', displayName: 'East US', zones: 3, geographyGroup: 'US' },
]

/** `host:port` or `[v6]:port`; throws a Problem that names `member`. */
export function parseListenAddress(text: string, member: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || !(port <= 65_535))
    throw invalid(member, `is '${text}'. Give HOST:PORT with a port from 0 to 65535, e.g. 127.0.0.1:8080 or [::1]:0.`)
  return { host, port }
}

/** Folders that the configuration names are relative to the file that names them, the others to the data folder. */
function buildRegion(entry: RegionEntry, dataFolder: string, fileFolder: string): Region {
  const own = (path: string): string => (isAbsolute(path) ? path : resolve(fileFolder, path))
  const home = join(dataFolder, 'regions', entry.name)
  const zones =
    typeof entry.zones === 'object'
      ? entry.zones
      : Array.from({ length: entry.zones ?? 0 }, (_, at) => ({ name: String(at + 1), folder: undefined }))
  return {
    name: entry.name,
    displayName: entry.displayName ?? entry.name,
    zones: zones.map((zone) => zone.name),
    pairedRegion: entry.pairedRegion === undefined ? undefined : normalizeRegionName(entry.pairedRegion),
    geographyGroup: entry.geographyGroup ?? 'Local',
    stampFolders: entry.folders?.map(own) ?? [join(home, 'stamp-1')],
    zoneFolders: zones.map((zone) => (zone.folder === undefined ? join(home, `zone-${zone.name}`) : own(zone.folder))),
    edgeZones: (entry.extendedLocations ?? []).map(({ name, folder: path }) => ({
      name,
      folder: path === undefined ? join(home, `edge-${name.toLowerCase()}`) : own(path),
    })),
  }
}

function checkRegions(regions: readonly Region[]): void {
  const spelling = new Map<string, number>()
  const folders = new Map<string, string>()
  regions.forEach((region, at) => {
    for (const name of new Set([region.name, normalizeRegionName(region.displayName)])) {
      if (spelling.has(name)) throw invalid(`regions[${at}].name`, `'${name}' is used twice. Names must differ.`)
      spelling.set(name, at)
    }
    if (new Set(region.zones.map((zone) => zone.toLowerCase())).size !== region.zones.length)
      throw invalid(`regions[${at}].zones`, `of '${region.name}' names a zone twice. Names must differ.`)
    const edges = region.edgeZones ?? []
    if (new Set(edges.map(({ name }) => name.toLowerCase())).size !== edges.length)
      throw invalid(`regions[${at}].extendedLocations`, `of '${region.name}' names a place twice. Names must differ.`)
    for (const path of [...region.stampFolders, ...region.zoneFolders, ...edges.map((edge) => edge.folder)]) {
      const user = folders.get(path)
      if (user !== undefined)
        throw invalid(
          `regions[${at}].folders`,
          `names ${path}, which '${user}' uses already. Give each its own folder.`,
        )
      folders.set(path, region.name)
    }
  })
  regions.forEach((region, at) => {
    const pair = region.pairedRegion
    if (pair !== undefined && (pair === region.name || !regions.some(({ name }) => name === pair)))
      throw invalid(`regions[${at}].pairedRegion`, `is '${pair}', which is not another configured region.`)
  })
}

/** Keys that come over plain HTTP could be anybody's, but for a server on this machine. */
function checkIssuers(issuers: readonly OutsideIssuer[]): void {
  const names = new Set<string>()
  issuers.forEach(({ issuer, jwksUri }, at) => {
    const addresses = { issuer, ...(jwksUri === undefined ? {} : { jwksUri }) }
    for (const [member, address] of Object.entries(addresses)) {
      const url = URL.parse(address)
      const isLocal = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
      if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLocal))
        throw invalid(`identity.issuers[${at}].${member}`, `is '${address}'. Give an https address.`)
    }
    if (names.has(issuer)) throw invalid(`identity.issuers[${at}].issuer`, `'${issuer}' is there twice.`)
    names.add(issuer)
  })
}

function parseLogLevel(text: string): LogLevel {
  if (text === 'debug' || text === 'info' || text === 'warn' || text === 'error' || text === 'silent') return text
  throw invalid('logLevel', `is '${text}'. Choose debug, info, warn, error or silent.`)
}

/**
 * Makes the configuration of flags, file and defaults, in this order of precedence. Reads the configuration file and
 * nothing else; creates nothing. Throws `ConfigurationInvalid` naming the member.
 * Defaults: data in `.goldleaf` of the current folder, http on 127.0.0.1:8080, https on the next port.
 */
export async function loadConfig(flags: ServerFlags, cwd: string = process.cwd()): Promise<ServerConfig> {
  const dataFolder = resolve(cwd, flags.data ?? process.env['GOLDLEAF_DATA'] ?? '.goldleaf')
  const path = flags.config === undefined ? undefined : resolve(cwd, flags.config)
  const file = path === undefined ? {} : await readConfigFile(path)
  const http = parseListenAddress(flags.listen ?? file.listen ?? '127.0.0.1:8080', 'listen')
  const httpsText = flags.listenHttps ?? file.listenHttps
  const https =
    httpsText === undefined
      ? { host: http.host, port: http.port === 0 ? 0 : http.port + 1 }
      : parseListenAddress(httpsText, 'listenHttps')
  if (https.port > 65_535) throw invalid('listenHttps', 'would be 65536. Give it with --listen-https HOST:PORT.')
  if (https.port !== 0 && https.port === http.port && https.host === http.host)
    throw invalid('listenHttps', `is the same as 'listen'. Give http and https ports of their own.`)
  const fileFolder = path === undefined ? cwd : dirname(path)
  const regions = (file.regions ?? defaultRegions).map((entry) => buildRegion(entry, dataFolder, fileFolder))
  checkRegions(regions)
  const issuers = file.identity?.issuers ?? []
  checkIssuers(issuers)
  const { profile = 'today', ...limits } = file.limits ?? {}
  const { enforced = false, ...rates } = file.rateLimits ?? {}
  return {
    dataFolder,
    http,
    https,
    publicNames: [...(file.publicNames ?? []), ...Object.values(file.cloud?.hosts ?? {})],
    regions,
    limits: { ...limitProfiles[profile], ...limits },
    accelerator: file.accelerator ?? 'auto',
    retryAfterSeconds: file.retryAfterSeconds ?? 1,
    applicationTimeoutSeconds: file.applicationTimeoutSeconds ?? 5_400,
    activityDays: file.activityDays ?? 90,
    rateLimits: { ...defaultRateLimits, ...rates, isEnforced: enforced },
    cloud: { ...azureCloud, ...file.cloud },
    providersRegistered: file.providers?.registered ?? 'all',
    issuers,
    storageSuffixes: file.storageSuffixes ?? azureStorageSuffixes,
    keysFolder: file.keysFolder === undefined ? join(dataFolder, 'keys') : resolve(fileFolder, file.keysFolder),
    keyVaults: file.keyVaults ?? [],
    logLevel: flags.logLevel === undefined ? (file.logLevel ?? 'info') : parseLogLevel(flags.logLevel),
  }
}

/** What the server takes from its surroundings besides flags and file. */
export const serverEnvironment = { path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' }
