/** A cloud as clients choose it by its name; all its addresses lead to this server. */
export interface Cloud {
  /** `AzureCloud`, because Terraform 3.x looks for that very name; a sovereign cloud's, or one of your own. */
  readonly name: string
  /** `SUFFIX` of blob addresses `https://account.blob.SUFFIX`. Undefined: the request's host. */
  readonly storageSuffix?: string | undefined
  /** Names of hosts, without ports, that clients are sent to. Undefined: the host by which they asked. */
  readonly hosts?: CloudHosts | undefined
}

export interface CloudHosts {
  readonly resourceManager?: string | undefined
  readonly login?: string | undefined
  readonly graph?: string | undefined
  readonly portal?: string | undefined
}

/** Addresses of a cloud, as a client sees them that came by `baseUrl`: same scheme, same port. */
export function addressesOf({ hosts = {} }: Cloud, baseUrl: string): Readonly<Record<keyof CloudHosts, string>> {
  const at = (host: string | undefined): string => {
    const url = new URL(baseUrl)
    url.hostname = host ?? url.hostname
    return url.origin
  }
  return {
    resourceManager: at(hosts.resourceManager),
    login: at(hosts.login),
    graph: at(hosts.graph),
    portal: at(hosts.portal),
  }
}

export const azureCloud: Cloud = { name: 'AzureCloud' }

/** What Azure's own clouds call Resource Manager, and how the metadata of 2018-01-01 names the cloud. */
const known: Readonly<Record<string, { readonly key: string; readonly audiences: readonly string[] }>> = {
  AzureCloud: { key: 'public', audiences: namesOf('core.windows.net', 'azure.com') },
  AzureChinaCloud: { key: 'chinaCloud', audiences: namesOf('core.chinacloudapi.cn', 'chinacloudapi.cn') },
  AzureUSGovernment: { key: 'usGovCloud', audiences: namesOf('core.usgovcloudapi.net', 'usgovcloudapi.net') },
}

function namesOf(...domains: readonly string[]): readonly string[] {
  return domains.map((domain) => `https://management.${domain}/`)
}

/** The audiences that clients of a cloud ask tokens for; a cloud of your own goes by Azure's names. */
export function audiencesOf({ name }: Cloud): readonly string[] {
  return (known[name] ?? known['AzureCloud'])?.audiences ?? []
}

export function cloudKey({ name }: Cloud): string {
  return known[name]?.key ?? name
}
