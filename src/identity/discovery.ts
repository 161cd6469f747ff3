import { addressesOf, audiencesOf, azureCloud, cloudKey } from './clouds.ts'
import type { Cloud } from './clouds.ts'
import type { Installation } from './installation.ts'

/**
 * The documents by which clients find out where to sign in. All addresses are made from the host that the client used.
 * `authority` is the first path segment: a tenant id, `adfs`, `common` or `organizations`.
 */
export function openidConfiguration(baseUrl: string, authority: string, form: 'v1' | 'v2' | 'adfs', tenantId: string) {
  const home = `${baseUrl}/${authority}`
  const protocol = form === 'v2' ? `${home}/oauth2/v2.0` : `${home}/oauth2`
  // MSAL compares the issuer's host with the authority's.
  const issuerHome = authority === 'adfs' ? home : `${baseUrl}/${tenantId}`
  return {
    issuer: form === 'v2' ? `${issuerHome}/v2.0` : `${issuerHome}/`,
    authorization_endpoint: `${protocol}/authorize`,
    token_endpoint: `${protocol}/token`,
    device_authorization_endpoint: `${protocol}/devicecode`,
    jwks_uri: form === 'v2' ? `${home}/discovery/v2.0/keys` : `${home}/discovery/keys`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'private_key_jwt'],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    end_session_endpoint: `${protocol}/logout`,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    grant_types_supported: [
      'authorization_code',
      'client_credentials',
      'password',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
    ],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    claims_supported: [
      'sub',
      'iss',
      'aud',
      'exp',
      'iat',
      'nonce',
      'oid',
      'tid',
      'preferred_username',
      'upn',
      'name',
      'email',
      'ver',
    ],
    tenant_region_scope: null,
    cloud_instance_name: new URL(baseUrl).host,
  }
}

/** What MSAL asks before it trusts an authority: this server vouches for itself under the host that was asked. */
export function instanceDiscovery(baseUrl: string) {
  const { host } = new URL(baseUrl)
  return {
    tenant_discovery_endpoint: `${baseUrl}/common/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  }
}

/** MSAL asks before it sends a password; every account is kept here, and the answer does not tell which exist. */
export function userRealm(baseUrl: string, name: string) {
  return {
    ver: '1.0',
    account_type: 'Managed',
    domain_name: name.slice(name.lastIndexOf('@') + 1),
    cloud_instance_name: new URL(baseUrl).host,
    cloud_audience_urn: 'urn:federation:MicrosoftOnline',
  }
}

export function jwks(installation: Installation) {
  return { keys: installation.keys.all().map(({ publicJwk }) => publicJwk) }
}

/**
 * One cloud as `/metadata/endpoints` describes it from 2019-05-01 on. the storage suffix is this server's own upload area.
 */
function cloudEntry(baseUrl: string, storageSuffix: string, cloud: Cloud) {
  const { host } = new URL(baseUrl)
  const { resourceManager, login, graph, portal } = addressesOf(cloud, baseUrl)
  return {
    name: cloud.name,
    portal,
    authentication: {
      loginEndpoint: login,
      audiences: [`${resourceManager}/`, resourceManager, ...audiencesOf(cloud)],
      tenant: 'common',
      identityProvider: 'AAD',
    },
    resourceManager,
    graph,
    graphAudience: graph,
    gallery: baseUrl,
    batch: baseUrl,
    media: baseUrl,
    sqlManagement: baseUrl,
    vmImageAliasDoc: `${baseUrl}/metadata/aliases.json`,
    activeDirectoryDataLake: baseUrl,
    suffixes: {
      storage: storageSuffix,
      storageSyncEndpointSuffix: host,
      keyVaultDns: host,
      mhsmDns: host,
      acrLoginServer: host,
      sqlServerHostname: host,
      mysqlServerEndpoint: host,
      mariadbServerEndpoint: host,
      postgresqlServerEndpoint: host,
      synapseAnalytics: host,
      attestationEndpoint: host,
      azureDataLakeStoreFileSystem: host,
      azureDataLakeAnalyticsCatalogAndJob: host,
      azureFrontDoorEndpointSuffix: host,
    },
  }
}

/**
 * `/metadata/endpoints`, whose form depends on the api-version (CLIENTS.md): one object since 2022-09-01, an array in
 * 2019-05-01 and 2020-06-01, `{cloudEndpoint}` in 2018-01-01, and Azure Stack's flat form before.
 */
export function metadataEndpoints(baseUrl: string, apiVersion: string, cloud: Cloud = azureCloud): unknown {
  const entry = cloudEntry(baseUrl, cloud.storageSuffix ?? new URL(baseUrl).host, cloud)
  if (apiVersion >= '2022-09-01' && /^\d{4}-/.test(apiVersion))
    return {
      ...entry,
      microsoftGraphResourceId: `${entry.graph}/`,
      ossrdbmsResourceId: `${baseUrl}/`,
      synapseAnalyticsResourceId: `${baseUrl}/`,
      logAnalyticsResourceId: `${baseUrl}/`,
      appInsightsResourceId: `${baseUrl}/`,
    }
  if (apiVersion >= '2019-01-01' && /^\d{4}-/.test(apiVersion)) return [entry]
  if (apiVersion >= '2018-01-01' && /^\d{4}-/.test(apiVersion))
    return {
      cloudEndpoint: {
        [cloudKey(cloud)]: { endpoint: new URL(entry.resourceManager).host, locations: [] },
      },
    }
  return {
    galleryEndpoint: baseUrl,
    graphEndpoint: entry.graph,
    portalEndpoint: entry.portal,
    graphAudience: entry.graph,
    // az 2.45 signs in only at an ADFS-shaped authority: others make it ask the public cloud first.
    authentication: {
      loginEndpoint: `${entry.authentication.loginEndpoint}/adfs`,
      audiences: entry.authentication.audiences,
    },
  }
}
