import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { parseFormat, pullVersion } from './image-pull.ts'
import { parseStorageClass, pushVersion } from './image-push.ts'
import { deleteImage, listImages, showImage, verifyImage } from './image.ts'
import { addGalleryCommand } from './locate-gallery.ts'
import { cliProblems } from './problems.ts'

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw cliProblems.UsageWrong({ message: `'${text}' is not a whole number.` })
  return Number(text)
}

/** `goldleaf image …`. */
export function addImageCommands(program: Command, context: CliContext, setExitCode: (code: number) => void): void {
  const image = program.command('image').description('images of a gallery: publish, fetch, check')
  const add = (name: string, description: string): Command => addGalleryCommand(image, name, description)
  addPush(add('push <file>', 'upload a disk image and publish it as a version'), context)
  addPull(add('pull', 'fetch a disk of a version and write it as a file'), context)
  add('verify', 'read and check every byte of every replica; exit code 1 if anything is lost')
    .requiredOption('--definition <name>', 'image definition')
    .requiredOption('--version <version>', 'version, or latest')
    .option('--json', 'as JSON')
    .action(async (_flags, command: Command) => setExitCode(await verifyImage(context, command.optsWithGlobals())))
  add('list', 'list the definitions of a gallery, or the versions of a definition')
    .option('--definition <name>', 'image definition')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listImages(context, command.optsWithGlobals()))
  add('show', 'show a version with its replication, or a definition, as the API does')
    .requiredOption('--definition <name>', 'image definition')
    .option('--version <version>', 'version')
    .action((_flags, command: Command) => showImage(context, command.optsWithGlobals()))
  add('delete', 'delete a version, or a definition that has none')
    .requiredOption('--definition <name>', 'image definition')
    .option('--version <version>', 'version')
    .action((_flags, command: Command) => deleteImage(context, command.optsWithGlobals()))
}

function addPush(command: Command, context: CliContext): void {
  command
    .requiredOption('--definition <name>', 'image definition')
    .requiredOption('--version <version>', 'version to make: MAJOR.MINOR.PATCH')
    .requiredOption('--regions <list>', 'target regions: a,b,c, each as REGION[=REPLICAS[=CLASS]]')
    .option('--location <region>', 'region that takes the upload; one of the targets (default: the first)')
    .option('--storage-class <class>', 'Standard_LRS, Standard_ZRS or Premium_LRS', parseStorageClass, 'Standard_LRS')
    .option('--replica-count <count>', 'replicas in each region', parseCount, 1)
    .option('--format <format>', 'raw, vhd, vhd-dynamic or qcow2 (default: told from the content)', parseFormat)
    .option('--exclude-from-latest', 'publish it without making it the latest')
    .option('--end-of-life <date>', 'when it should no longer be used')
    .option('--create', 'make the resource group, gallery and definition where they are missing')
    .option('--publisher <name>', 'with --create (default: goldleaf)')
    .option('--offer <name>', "with --create (default: the gallery's name)")
    .option('--sku <name>', "with --create (default: the definition's name)")
    .option('--os-type <type>', 'with --create: Linux or Windows (default: Linux)')
    .option('--os-state <state>', 'with --create: Generalized or Specialized (default: Generalized)')
    .option('--hyper-v-generation <generation>', 'with --create: V1 (BIOS) or V2 (UEFI) (default: V1)')
    .action((file: string, _flags, command: Command) => pushVersion(context, file, command.optsWithGlobals()))
}

function addPull(command: Command, context: CliContext): void {
  command
    .requiredOption('--definition <name>', 'image definition')
    .requiredOption('--version <version>', 'version, or latest')
    .requiredOption('--out <file>', 'file to write')
    .option('--format <format>', "raw, qcow2, vhd or vhd-dynamic (default: by the file's name)", parseFormat)
    .option('--region <region>', "region to read from (default: the version's own)")
    .option('--lun <number>', 'a data disk instead of the OS disk', parseCount)
    .option('--force', 'replace the file if it exists')
    .action((_flags, command: Command) => pullVersion(context, command.optsWithGlobals()))
}
