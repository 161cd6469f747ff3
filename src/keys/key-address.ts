import { keyProblems } from './problems.ts'

/** The name under which this server's own key folder is addressed; nobody looks it up. */
const ownKeyHost = 'keys.goldleaf'

/**
 * The name of a key in the folder (`{name}` or `{name}.{version}`; in front of it, where the folder stands for a vault,
 * that vault's host) that an address means. Throws InvalidParameter for what is no key's address or another vault's.
 * `vaults`: host names of key vaults that the folder stands for.
 */
export function keyNameOf(keyUrl: string, vaults: readonly string[]): string {
  const target = { target: 'diskEncryptionSet.activeKey.keyUrl' }
  const url = URL.parse(keyUrl)
  const match = /^\/keys\/([0-9A-Za-z-]{1,127})(?:\/([0-9A-Za-z]{1,64}))?\/?$/.exec(url?.pathname ?? '')
  if (url?.protocol !== 'https:' || !match) throw keyProblems.KeyUrlInvalid({ url: keyUrl, host: ownKeyHost }, target)
  const isOwn = url.hostname === ownKeyHost
  if (!isOwn && !vaults.some((vault) => vault.toLowerCase() === url.hostname))
    throw keyProblems.KeyVaultNotSupported({ url: keyUrl, host: ownKeyHost }, target)
  return [...(isOwn ? [] : [url.hostname]), match[1] ?? '', ...(match[2] === undefined ? [] : [match[2]])].join('.')
}
