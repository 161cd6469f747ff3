import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ComputeManagementClient } from '@azure/arm-compute'
import { ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity'
import { cli } from '../support/publishing.ts'
import { openTargets } from '../wire/refusals.ts'
import { vmVersion } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'

const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
/** Everything from which a credential of @azure/identity would take who it is. */
const variables = [
  'AZURE_AUTHORITY_HOST',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET',
  'AZURE_TOKEN_CREDENTIALS',
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
]

type Credential = ConstructorParameters<typeof ComputeManagementClient>[0]

/** The credentials that programs are written with, each before @azure/arm-compute and a running server. */
suite('credentials of @azure/identity', () => {
  let wire: Wire
  before(async () => {
    ;({ wire } = await openTargets())
  })
  after(async () => {
    setEnvironment({})
    await wire?.[Symbol.asyncDispose]()
  })

  function setEnvironment(values: Readonly<Record<string, string>>): void {
    for (const name of variables) delete process.env[name]
    Object.assign(process.env, values)
  }
  const compute = (credential: Credential): ComputeManagementClient => {
    const { endpoint, subscriptionId } = wire.server.env
    const scopes = [`${endpoint}/.default`]
    return new ComputeManagementClient(credential, subscriptionId, { endpoint, credentials: { scopes } })
  }
  async function run<T>(...args: readonly string[]): Promise<T> {
    const { code, out, err } = await cli(wire.server, ...args)
    assert.equal(code, 0, err)
    return JSON.parse(out) as T
  }
  const mayRead = async (principalId: string): Promise<void> => {
    const name = crypto.randomUUID()
    const path = `${wire.id('galleries/g')}/providers/Microsoft.Authorization/roleAssignments/${name}`
    await wire.arm.must('PUT', `${path}?api-version=2022-04-01`, {
      properties: {
        principalId,
        roleDefinitionId: `${wire.subscription}/providers/Microsoft.Authorization/roleDefinitions/${reader}`,
      },
    })
  }
  /** Reads the gallery, and is refused what its role does not hold. */
  async function isReader(client: ComputeManagementClient): Promise<void> {
    assert.equal((await client.galleries.get('wire', 'g')).name, 'g')
    assert.equal((await client.galleryImageVersions.get('wire', 'g', 'd', '1.0.0')).provisioningState, 'Succeeded')
    const refused = { code: 'AuthorizationFailed', statusCode: 403 }
    await assert.rejects(async () => void (await client.galleries.update('wire', 'g', { tags: { a: 'b' } })), refused)
  }

  test('DefaultAzureCredential from the environment', async () => {
    const { endpoint, tenantId, clientId, clientSecret } = wire.server.env
    setEnvironment({
      AZURE_AUTHORITY_HOST: endpoint,
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret,
    })
    const client = compute(new DefaultAzureCredential({ disableInstanceDiscovery: true }))
    const changed = await client.galleries.update('wire', 'g', { description: 'by the environment' })
    assert.equal(changed.description, 'by the environment')
  })

  test('ClientSecretCredential of a program with one role', async () => {
    setEnvironment({})
    const app = await run<Record<'appId' | 'clientSecret' | 'servicePrincipalId', string>>('app', 'create', 'program')
    const { endpoint, tenantId } = wire.server.env
    const options = { authorityHost: endpoint, disableInstanceDiscovery: true }
    const client = compute(new ClientSecretCredential(tenantId, app.appId, app.clientSecret, options))
    const refused = { code: 'AuthorizationFailed' }
    await assert.rejects(async () => void (await client.galleries.get('wire', 'g')), refused, 'before it has the role')
    await mayRead(app.servicePrincipalId)
    await isReader(client)
  })

  test("ManagedIdentityCredential and DefaultAzureCredential with a machine's identity", async () => {
    const image = { id: wire.id('galleries/g/images/d/versions/1.0.0') }
    const made = await wire.arm.call('PUT', wire.at('virtualMachines/vm', vmVersion), {
      location: 'westeurope',
      identity: { type: 'SystemAssigned' },
      properties: { hardwareProfile: { vmSize: 'Standard_B1s' }, storageProfile: { imageReference: image } },
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const { identity } = made.body as unknown as { identity: { principalId: string } }
    const { address } = await run<{ address: string }>('vm', 'identity-env', 'vm', '-g', 'wire', '--json')
    await mayRead(identity.principalId)
    setEnvironment({ AZURE_POD_IDENTITY_AUTHORITY_HOST: address })
    await isReader(compute(new ManagedIdentityCredential()))
    setEnvironment({
      AZURE_POD_IDENTITY_AUTHORITY_HOST: address,
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
    })
    await isReader(compute(new DefaultAzureCredential()))
  })
})
