import type { Command } from 'commander'
import { isJsonObject } from '../base/json.ts'
import { explainAccess } from '../contract/extension-types.ts'
import { subscriptionPath } from '../client/arm-path.ts'
import { connect } from './connection.ts'
import type { ConnectionFlags } from './connection.ts'
import { exitCodes } from './context.ts'
import type { CliContext } from './context.ts'
import { cliProblems } from './problems.ts'

interface ExplainFlags extends ConnectionFlags {
  readonly json?: boolean | undefined
  readonly dataAction?: boolean | undefined
}

export function addAccessCommands(program: Command, context: CliContext, setExitCode: (code: number) => void): void {
  const access = program.command('access').description('who may do what, and why')
  access
    .command('explain <who> <action> [what]')
    .description(
      'which role assignment lets WHO do ACTION on WHAT, or what is missing; exit code 1 if it is not allowed',
    )
    .option('--data-action', 'ACTION touches bytes (default: known from its name)')
    .option('--json', 'as the API answers')
    .addHelpText(
      'after',
      '\nWHO: user principal name, client id, object id or display name. ACTION: as Azure names it,' +
        '\nMicrosoft.Compute/galleries/read. WHAT: the id of a scope or resource, / for the tenant; default: the subscription.',
    )
    .action(async (who: string, action: string, what: string | undefined, _flags, command: Command) => {
      const allowed = await explain(context, command.optsWithGlobals(), { who, action, what })
      if (!allowed) setExitCode(exitCodes.failed)
    })
}

async function explain(
  context: CliContext,
  flags: ExplainFlags,
  asked: { readonly who: string; readonly action: string; readonly what: string | undefined },
): Promise<boolean> {
  const { client, subscriptionId } = await connect(context, flags)
  const scope = asked.what ?? subscriptionPath(subscriptionId)
  if (!scope.startsWith('/'))
    throw cliProblems.UsageWrong({ message: `WHAT is an id that begins with /subscriptions/…, or /; not '${scope}'.` })
  const body = {
    principal: asked.who,
    action: asked.action,
    ...(flags.dataAction === undefined ? {} : { isDataAction: flags.dataAction }),
  }
  const answer = await client.post(`${scope.replace(/\/+$/, '')}/providers/${explainAccess.type}`, body, {
    apiVersion: explainAccess.apiVersions.at(-1),
    signal: context.signal,
  })
  const { allowed, explanation, grantedBy } = answer
  if (flags.json) context.out.write(`${JSON.stringify(answer, undefined, 2)}\n`)
  else {
    context.out.write(`${typeof explanation === 'string' ? explanation : ''}\n`)
    if (isJsonObject(grantedBy))
      context.out.write(`Role assignment: ${JSON.stringify(grantedBy['roleAssignmentId'])}\n`)
  }
  return allowed === true
}
