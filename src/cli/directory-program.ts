import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import type { Named } from './graph.ts'
import {
  admitApp,
  changeMember,
  createApp,
  createGroup,
  createUser,
  deleteObject,
  inviteUser,
  listMembers,
  listObjects,
  resetCredential,
  resetPassword,
  showObject,
} from './people.ts'
import {
  changeSubscription,
  createSubscription,
  createTenant,
  deleteTenant,
  listSubscriptions,
  listTenants,
  showSubscription,
  showTenant,
} from './tenant.ts'

/** `goldleaf tenant|subscription|user|group|app …`: who exists, and where. */
export function addDirectoryCommands(program: Command, context: CliContext): void {
  addTenantCommands(program, context)
  addSubscriptionCommands(program, context)
  addUserCommands(program, context)
  addGroupCommands(program, context)
  addAppCommands(program, context)
}

function addTenantCommands(program: Command, context: CliContext): void {
  const tenant = program.command('tenant').description('tenants of this server; only its operator may')
  tenant
    .command('list')
    .description('list the tenants')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listTenants(context, command.optsWithGlobals()))
  tenant
    .command('create <name>')
    .description("make a tenant, with the installation's client as its administrator")
    .option('--domain <domain>', 'its domain (default: made from the name, below goldleaf.local)')
    .option('--id <guid>', 'its id (default: drawn)')
    .option('--no-operator', "without the installation's client: then nobody is in it")
    .action((name: string, _flags, command: Command) => createTenant(context, name, command.optsWithGlobals()))
  tenant
    .command('show <tenant>')
    .description('show a tenant, by id or domain')
    .action((name: string, _flags, command: Command) => showTenant(context, name, command.optsWithGlobals()))
  tenant
    .command('delete <tenant>')
    .description('delete a tenant with everybody in it; its subscriptions must be cancelled and empty')
    .action((name: string, _flags, command: Command) => deleteTenant(context, name, command.optsWithGlobals()))
}

function addSubscriptionCommands(program: Command, context: CliContext): void {
  const subscription = program.command('subscription').description('subscriptions of a tenant (--tenant)')
  subscription
    .command('list')
    .description('list the subscriptions that you see')
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listSubscriptions(context, command.optsWithGlobals()))
  subscription
    .command('create <name>')
    .description('make a subscription')
    .option('--alias <name>', 'name of the request: the same again makes no second one (default: the name)')
    .option('--owner <id>', 'object id of its first Owner (default: you)')
    .action((name: string, _flags, command: Command) => createSubscription(context, name, command.optsWithGlobals()))
  subscription
    .command('show <id>')
    .description('show a subscription')
    .action((id: string, _flags, command: Command) => showSubscription(context, id, command.optsWithGlobals()))
  subscription
    .command('rename <id> <name>')
    .description('give it another name')
    .action((id: string, name: string, _flags, command: Command) =>
      changeSubscription(context, 'rename', id, name, command.optsWithGlobals()),
    )
  for (const [verb, description] of [
    ['cancel', 'make it read-only: it can be read and emptied, nothing else'],
    ['enable', 'undo cancel'],
  ] as const)
    subscription
      .command(`${verb} <id>`)
      .description(description)
      .action((id: string, _flags, command: Command) =>
        changeSubscription(context, verb, id, undefined, command.optsWithGlobals()),
      )
}

/** `list`, `show` and `delete`, which are alike for all of them. */
function addUsual(parent: Command, context: CliContext, what: Named): void {
  parent
    .command('list')
    .description(`list the ${what}s`)
    .option('--json', 'as the API shows them')
    .action((_flags, command: Command) => listObjects(context, what, command.optsWithGlobals()))
  parent
    .command('show <name>')
    .description('by id or name')
    .action((name: string, _flags, command: Command) => showObject(context, what, name, command.optsWithGlobals()))
  parent
    .command('delete <name>')
    .description('by id or name; its role assignments go with it')
    .action((name: string, _flags, command: Command) => deleteObject(context, what, name, command.optsWithGlobals()))
}

function addUserCommands(program: Command, context: CliContext): void {
  const user = program.command('user').description('people of a tenant (--tenant)')
  addUsual(user, context, 'user')
  const password = [
    '--password-env <variable>',
    'environment variable with the password (default: drawn, printed once)',
  ] as const
  user
    .command('create <name>')
    .description("make a user; the tenant's domain is added to a name without one")
    .option('--display-name <text>', 'name for people (default: the name)')
    .option(...password)
    .option('--role <role>', "directory role, e.g. 'Global Administrator', 'User Administrator'")
    .action((name: string, _flags, command: Command) => createUser(context, name, command.optsWithGlobals()))
  user
    .command('reset-password <name>')
    .description('give it a new password')
    .option(...password)
    .action((name: string, _flags, command: Command) => resetPassword(context, name, command.optsWithGlobals()))
  user
    .command('invite <name>')
    .description('make a user of another tenant of this server a guest here')
    .action((name: string, _flags, command: Command) => inviteUser(context, name, command.optsWithGlobals()))
}

function addGroupCommands(program: Command, context: CliContext): void {
  const group = program.command('group').description('groups of a tenant (--tenant)')
  addUsual(group, context, 'group')
  group
    .command('create <name>')
    .description('make a group')
    .option('--description <text>', 'what it is for')
    .action((name: string, _flags, command: Command) => createGroup(context, name, command.optsWithGlobals()))
  group
    .command('members <group>')
    .description('list its members')
    .option('--json', 'as the API shows them')
    .action((name: string, _flags, command: Command) => listMembers(context, name, command.optsWithGlobals()))
  for (const [verb, description] of [
    ['add', 'add a user, group or service principal'],
    ['remove', 'remove a member'],
  ] as const)
    group
      .command(`${verb}-member <group> <member>`)
      .description(description)
      .action((name: string, member: string, _flags, command: Command) =>
        changeMember(context, verb, name, member, command.optsWithGlobals()),
      )
}

function addAppCommands(program: Command, context: CliContext): void {
  const app = program.command('app').description('applications (clients) of a tenant (--tenant)')
  addUsual(app, context, 'application')
  app
    .command('create <name>')
    .description('register an application with its service principal and a secret (printed once)')
    .option('--multi-tenant', 'other tenants of this server may admit it')
    .option('--no-secret', 'without a secret')
    .action((name: string, _flags, command: Command) => createApp(context, name, command.optsWithGlobals()))
  app
    .command('reset-credential <name>')
    .description('draw a new secret (printed once) and drop the others')
    .option('--append', 'keep the others')
    .action((name: string, _flags, command: Command) => resetCredential(context, name, command.optsWithGlobals()))
  app
    .command('admit <appId>')
    .description('give a multi-tenant application of another tenant a service principal in this one')
    .action((appId: string, _flags, command: Command) => admitApp(context, appId, command.optsWithGlobals()))
}
