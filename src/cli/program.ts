import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { addAccessCommands } from './access.ts'
import { addActivityCommands } from './activity.ts'
import { exitCodes } from './context.ts'
import type { CliContext } from './context.ts'
import { addDirectoryCommands } from './directory-program.ts'
import { addKeyCommands } from './key.ts'
import { printEnvironment, printToken } from './env.ts'
import { addGalleryCommands } from './gallery-share.ts'
import { addImageCommands } from './image-program.ts'
import { cliProblems } from './problems.ts'
import { addRecycleBinCommands } from './recycle-bin.ts'
import { serve } from './serve.ts'
import { printIdentityEnv } from './vm-identity.ts'
import { createVm, deleteVm, listVms, showConsole } from './vm.ts'

const afterHelp = `
Where the server is: --data finds one that runs on this machine (default .goldleaf, or GOLDLEAF_DATA); --endpoint,
--ca-file and a token (GOLDLEAF_ENDPOINT, GOLDLEAF_CA_FILE, GOLDLEAF_TOKEN) reach one on another. Instead of a token,
AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET sign in.

Exit codes: ${exitCodes.done} done, ${exitCodes.failed} failed or an image is damaged, ${exitCodes.usage} wrong flags or configuration,
${exitCodes.unreachable} no server reachable, ${exitCodes.interrupted} stopped by a signal.`

/** The whole command line, one action a command; `setExitCode` is for commands whose answer is a code (verify). */
export function buildProgram(context: CliContext, setExitCode: (code: number) => void): Command {
  const program = new Command('goldleaf')
    .description("A self-hosted compute gallery that speaks Azure's API.")
    .option('--data <folder>', 'data folder of a server on this machine')
    .option('--endpoint <url>', 'address of a server on another machine: https://HOST:PORT')
    .option('--ca-file <file>', 'its certificate authority (PEM)')
    .option('--token <token>', 'bearer token; better in GOLDLEAF_TOKEN, where others cannot see it')
    .option('--subscription <id>', 'subscription; default: the only one')
    .option('--tenant <id or domain>', "tenant to sign in to; default: the installation's own")
    .addHelpText('after', afterHelp)
    .showHelpAfterError('(goldleaf --help shows what there is)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.out.write(text), writeErr: (text) => context.err.write(text) })
  addServerCommands(program, context)
  addImageCommands(program, context, setExitCode)
  addRecycleBinCommands(program, context)
  addGalleryCommands(program, context)
  addVmCommands(program, context)
  addActivityCommands(program, context)
  addDirectoryCommands(program, context)
  addKeyCommands(program, context)
  addAccessCommands(program, context, setExitCode)
  return program
}

function addServerCommands(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('run a server until Ctrl-C; prints "goldleaf ready http=... https=... data=..." when it answers')
    .option('--listen <address>', 'HOST:PORT for http; port 0 takes a free one (default 127.0.0.1:8080)')
    .option('--listen-https <address>', 'HOST:PORT for https (default: the same host, the next port)')
    .option('--config <file>', 'JSON file: regions, limits, accelerator, retryAfterSeconds, publicNames, ...')
    .option('--log-level <level>', 'debug, info, warn, error or silent (default info)')
    .action((_flags, command: Command) => serve(context, command.optsWithGlobals()))
  program
    .command('env')
    .description('how to reach the server that runs on the data folder, and how to sign in')
    .addOption(new Option('--shell', 'as exports for az, the SDKs and Terraform').conflicts('json'))
    .option('--json', 'as JSON')
    .action((_flags, command: Command) => printEnvironment(context, command.optsWithGlobals()))
  program
    .command('token')
    .description('print a bearer token that the API accepts for an hour')
    .action((_flags, command: Command) => printToken(context, command.optsWithGlobals()))
}

function addVmCommands(program: Command, context: CliContext): void {
  const vm = program.command('vm').description('virtual machines on gallery images')
  const add = (name: string, description: string): Command =>
    vm.command(name).description(description).option('-g, --resource-group <name>', 'resource group', 'goldleaf')
  const readText = async (path: string): Promise<string> => {
    try {
      return await readFile(resolve(context.cwd, path), 'utf8')
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : 'unreadable'
      throw cliProblems.FileUnreadable({ file: path, reason }, { cause })
    }
  }
  add('create <name>', 'boot a VM from an image version, or from the latest one in its region')
    .requiredOption('--gallery <name>', 'gallery')
    .requiredOption('--definition <name>', 'image definition')
    .option('--version <version>', 'version, or latest', 'latest')
    .requiredOption('--location <region>', 'region to boot in')
    .option('--gallery-resource-group <name>', "the gallery's resource group (default: found by the gallery's name)")
    .option('--size <size>', 'VM size', 'Standard_B1s')
    .option('--admin-username <name>', 'for generalised images')
    .option('--ssh-key-file <file>', 'public key of the administrator')
    .option('--custom-data-file <file>', 'cloud-init user data')
    .action((name: string, _flags, command: Command) => createVm(context, name, command.optsWithGlobals(), readText))
  add('list', 'list VMs')
    .option('--all', 'of the whole subscription')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listVms(context, command.optsWithGlobals()))
  add('console <name>', 'print what a VM wrote to its serial port')
    .option('-f, --follow', 'go on until Ctrl-C')
    .action((name: string, _flags, command: Command) => showConsole(context, name, command.optsWithGlobals()))
  add('identity-env <name>', "let this shell act as the VM's managed identity: exports for Azure's SDKs")
    .option('--json', 'as JSON')
    .action((name: string, _flags, command: Command) => printIdentityEnv(context, name, command.optsWithGlobals()))
  add('delete <name>', 'delete a VM').action((name: string, _flags, command: Command) =>
    deleteVm(context, name, command.optsWithGlobals()),
  )
}
