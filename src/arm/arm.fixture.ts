import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { Problem } from '../base/problem.ts'
import { regionDirectory, type Region } from '../base/region.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { resourceTypes } from '../contract/resource-types.ts'
import { openDatabase } from '../db/open.ts'
import { createHttpServer } from '../http/server.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import { settleResource } from '../resources/settle.rows.ts'
import { insertSubscription } from '../resources/subscription.rows.ts'
import { createWork } from '../work/engine.ts'
import type { Workflow } from '../work/workflow.ts'
import type { ArmOptions, Engine } from './engine.ts'
import { registerArm } from './register.ts'
import { deleteResourceGroupWorkflow } from './resource-groups.ts'

export const subscriptionId = '11111111-2222-3333-4444-555555555555'
export const tenantId = '99999999-2222-3333-4444-555555555555'

function region(name: string, displayName: string): Region {
  const none = { stampFolders: ['/none'], zoneFolders: [] }
  return { name, displayName, zones: ['1', '2', '3'], pairedRegion: undefined, geographyGroup: 'Europe', ...none }
}

export interface TestArmOptions extends Partial<Pick<ArmOptions, 'pageSize' | 'authorize' | 'cancelTimeoutMs'>> {
  readonly types?: readonly ResourceTypeDeclaration[]
  readonly behaviours?: readonly Behaviour[]
  readonly workflows?: readonly Workflow[]
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Whatever JSON.parse answers: tests look into bodies of every shape. */
  readonly body: ReturnType<typeof JSON.parse>
}

/** A whole ARM on a free port over a database in memory; `Bearer good` is the one accepted token. */
// oxlint-disable-next-line max-lines-per-function -- one server, put together in one place
export async function startArm(options: TestArmOptions = {}) {
  const database = await openDatabase({ path: ':memory:' })
  const { db } = database
  await insertSubscription(db, { subscriptionId, tenantId, displayName: 'Test', state: 'Enabled' })
  const http = createHttpServer({ logger: silentLogger, closeTimeoutMs: 500 })
  let engine: Engine | undefined
  const getEngine = (): Engine => {
    if (!engine) throw new Error('not yet')
    return engine
  }
  const work = createWork({
    db,
    clock: systemClock,
    logger: silentLogger,
    owner: 'test',
    pollMs: 50,
    onSettled: settleResource,
    workflows: [deleteResourceGroupWorkflow(getEngine), ...(options.workflows ?? [])],
  })
  engine = registerArm(http.app, {
    types: options.types ?? resourceTypes,
    behaviours: options.behaviours ?? [],
    db,
    work,
    regions: regionDirectory([region('westeurope', 'West Europe'), region('eastus', 'East US')]),
    clock: systemClock,
    logger: silentLogger,
    tenantId,
    listTenantsOf: async () => [{ tenantId, displayName: 'Home', defaultDomain: 'home.example', isHome: true }],
    findPrincipalKind: async () => undefined,
    authenticate: async (header) => {
      if (header === undefined)
        throw new Problem('unauthenticated', 'AuthenticationFailed', "The 'Authorization' header is missing.")
      if (header !== 'Bearer good')
        throw new Problem('unauthenticated', 'InvalidAuthenticationToken', 'The access token is invalid.')
      return { objectId: 'oid', tenantId, name: 'tester', kind: 'servicePrincipal', appId: 'tester', roles: [] }
    },
    authorize: options.authorize ?? (async () => {}),
    rightsOf: async () => ({ can: () => true, touches: () => true }),
    ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
    ...(options.cancelTimeoutMs === undefined ? {} : { cancelTimeoutMs: options.cancelTimeoutMs }),
  })
  await work.run()
  const { http: url } = await http.listen({ http: { host: '127.0.0.1', port: 0 } })

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply> => {
    const address = path.startsWith('http') ? path : `${url}${path}`
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await fetch(address, {
      method,
      redirect: 'manual',
      headers: {
        authorization: 'Bearer good',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: text }),
    })
    const got = await answer.text()
    return { status: answer.status, headers: answer.headers, text: got, body: got === '' ? undefined : JSON.parse(got) }
  }
  /** Polls an Azure-AsyncOperation to its end and answers the last document. */
  const finish = async (started: Reply): Promise<Reply> => {
    const poll = started.headers.get('azure-asyncoperation')
    if (poll === null) throw new Error(`no operation: ${started.status} ${started.text}`)
    for (;;) {
      const at = await send('GET', poll)
      if (at.body.status !== 'InProgress') return at
      await systemClock.sleep(10)
    }
  }
  return {
    url,
    db,
    work,
    send,
    finish,
    /** PUT and wait for its operation, if there is one. */
    async put(path: string, body: unknown): Promise<Reply> {
      const answer = await send('PUT', path, body)
      if (answer.headers.has('azure-asyncoperation')) await finish(answer)
      return answer
    },
    async [Symbol.asyncDispose]() {
      await http.close()
      await work.stop(1000)
      await database.close()
    },
  }
}

export type TestArm = Awaited<ReturnType<typeof startArm>>

export const groupPath = (name: string): string => `/subscriptions/${subscriptionId}/resourceGroups/${name}`
export const inGroup = (group: string, path: string, apiVersion = '2024-03-03', more = ''): string =>
  `${groupPath(group)}/providers/Microsoft.Compute/${path}?api-version=${apiVersion}${more}`

export async function createGroup(arm: TestArm, name: string): Promise<void> {
  const answer = await arm.send('PUT', `${groupPath(name)}?api-version=2021-04-01`, { location: 'West Europe' })
  if (answer.status !== 201) throw new Error(answer.text)
}
