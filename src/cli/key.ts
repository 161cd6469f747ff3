import type { Command } from 'commander'
import { isJsonObject } from '../base/json.ts'
import type { CliContext } from './context.ts'
import { openOwn, printList } from './tenant.ts'
import type { ListFlags } from './tenant.ts'

/** `goldleaf key …`: the keys that sign tokens; only the installation's operator may. */
export function addKeyCommands(program: Command, context: CliContext): void {
  const key = program.command('key').description('keys that sign tokens; only the operator may')
  key
    .command('list')
    .description('list the keys, the one that signs first')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listKeys(context, command.optsWithGlobals()))
  key
    .command('rotate')
    .description('let a new key sign from now on; the one before it verifies for a day more')
    .option('--drop-old', 'for a stolen key: refuse all tokens of the old ones at once; everybody gets new ones')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => rotateKey(context, command.optsWithGlobals()))
}

const columns = [
  ['key', 'id'],
  ['created', 'createdDateTime'],
  ['use', 'use'],
] as const

async function listKeys(context: CliContext, flags: ListFlags): Promise<void> {
  printList(context, flags, await (await openOwn(context, flags)).list('/signingKeys'), columns)
}

async function rotateKey(context: CliContext, flags: ListFlags & { readonly dropOld?: boolean }): Promise<void> {
  const caller = await openOwn(context, flags)
  const { value } = await caller.call('POST', '/signingKeys', { dropOld: flags.dropOld ?? false })
  printList(context, flags, Array.isArray(value) ? value.filter(isJsonObject) : [], columns)
}
