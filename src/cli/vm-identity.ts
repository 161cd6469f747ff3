import { connect } from './connection.ts'
import type { CliContext } from './context.ts'
import { vmPath } from './vm.ts'
import type { VmFlags } from './vm.ts'

/**
 * `goldleaf vm identity-env NAME`: prints how a shell on the host gets tokens as the machine's managed identity.
 * AZURE_POD_IDENTITY_AUTHORITY_HOST is the switch that ManagedIdentityCredential of every Azure SDK heeds.
 */
export async function printIdentityEnv(
  context: CliContext,
  name: string,
  flags: VmFlags & { readonly json?: boolean },
): Promise<void> {
  const connection = await connect(context, flags)
  const path = `${vmPath(connection, flags, [name])}/identityAddress`
  const { address, expiresOn } = await connection.client.post(path, undefined, { signal: context.signal })
  if (typeof address !== 'string' || typeof expiresOn !== 'string') throw new Error('the server answered no address')
  const text = flags.json
    ? JSON.stringify({ address, expiresOn }, undefined, 2)
    : `# Until ${expiresOn}. Keep it secret: whoever has it acts as the machine.\nexport AZURE_POD_IDENTITY_AUTHORITY_HOST='${address}'`
  context.out.write(`${text}\n`)
}
