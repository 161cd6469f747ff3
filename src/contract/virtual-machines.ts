import { Type, type Static } from 'typebox'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { computeApiVersions } from './api-versions.ts'
import { body, extendedLocation, identity } from './envelope.ts'
import { virtualMachineNameRule } from './names.ts'
import type { ActionDeclaration, ResourceTypeDeclaration, Timing } from './resource-type.ts'
import { anyJson, flag, int, list, needInt, needOneOf, needText, oneOf, part, text, texts } from './schema.ts'

const type = 'Microsoft.Compute/virtualMachines'

/** Azure echoes far more of a VM than this server acts on: undeclared members are kept as sent. */
const open = { open: true }

const caching = oneOf(['None', 'ReadOnly', 'ReadWrite'], { kept: true })
const createOptions = ['FromImage', 'Empty', 'Attach', 'Copy', 'Restore'] as const
const deleteOption = oneOf(['Delete', 'Detach'], { since: '2021-03-01', kept: true })
const managedDisk = part(
  {
    id: text({ createOnly: true, anyCase: true }),
    storageAccountType: text({ anyCase: true, kept: true }),
    diskEncryptionSet: part(
      { id: text({ createOnly: true, anyCase: true }) },
      { ...open, since: '2019-07-01', kept: true },
    ),
    securityProfile: part(
      { securityEncryptionType: text({ anyCase: true }) },
      { ...open, since: '2021-07-01', kept: true },
    ),
  },
  { ...open, kept: true },
)

export const imageReference = part(
  {
    id: text({ createOnly: true, anyCase: true }),
    publisher: text({ createOnly: true, anyCase: true }),
    offer: text({ createOnly: true, anyCase: true }),
    sku: text({ createOnly: true, anyCase: true }),
    version: text({ createOnly: true, anyCase: true }),
    exactVersion: text({ since: '2019-12-01', readOnly: true }),
    sharedGalleryImageId: text({ since: '2021-07-01', createOnly: true, anyCase: true }),
    communityGalleryImageId: text({ since: '2021-11-01', createOnly: true, anyCase: true }),
  },
  { kept: true },
)

const osDisk = part(
  {
    osType: oneOf(['Windows', 'Linux'], { createOnly: true }),
    name: text({ createOnly: true, anyCase: true }),
    caching,
    createOption: needOneOf(createOptions, { createOnly: true, defaults: [{ value: 'FromImage' }] }),
    diskSizeGB: int({ minimum: 1, maximum: 65_536, kept: true }),
    managedDisk,
    deleteOption,
  },
  { ...open, kept: true },
)

const dataDisk = Type.Object(
  {
    lun: needInt({ minimum: 0, maximum: 63 }),
    name: text({ kept: true, anyCase: true }),
    caching,
    createOption: needOneOf(createOptions),
    diskSizeGB: int({ minimum: 1, maximum: 65_536, kept: true }),
    managedDisk,
    deleteOption,
  },
  open,
)

const osProfile = part(
  {
    computerName: text({ createOnly: true, anyCase: true }),
    adminUsername: text({ createOnly: true }),
    adminPassword: text({ writeOnly: true, kept: true }),
    customData: text({ writeOnly: true, createOnly: true }),
    linuxConfiguration: part(
      {
        disablePasswordAuthentication: flag({ createOnly: true }),
        ssh: part(
          {
            publicKeys: list(Type.Object({ path: text(), keyData: text() }, open), {
              createOnly: true,
              key: 'keyData',
            }),
          },
          { kept: true },
        ),
        provisionVMAgent: flag({ kept: true }),
      },
      { ...open, kept: true },
    ),
    windowsConfiguration: anyJson({ kept: true }),
    /** Addresses of certificates in vaults, no secrets themselves: shown, as in Azure. */
    secrets: anyJson({ kept: true }),
    allowExtensionOperations: flag({ kept: true }),
  },
  { ...open, kept: true },
)

const virtualMachineProperties = Type.Object(
  {
    hardwareProfile: part({ vmSize: text({ anyCase: true, kept: true }) }, { ...open, kept: true }),
    storageProfile: part(
      {
        imageReference,
        osDisk,
        dataDisks: list(dataDisk, {
          key: 'lun',
          kept: true,
          duplicates: 'A disk at LUN already exists. Give every data disk a LUN of its own.',
        }),
        diskControllerType: text({ since: '2022-08-01', anyCase: true, kept: true }),
      },
      { ...open, kept: true },
    ),
    osProfile,
    networkProfile: part(
      { networkInterfaces: list(Type.Object({ id: text({ anyCase: true }) }, open), { kept: true }) },
      { ...open, kept: true },
    ),
    securityProfile: part(
      { securityType: text({ anyCase: true, kept: true }), encryptionAtHost: flag({ kept: true }) },
      { ...open, kept: true },
    ),
    applicationProfile: part(
      {
        galleryApplications: list(
          Type.Object(
            {
              packageReferenceId: needText({ anyCase: true }),
              order: int({ minimum: 0, maximum: 2_147_483_647 }),
              configurationReference: text(),
              tags: text(),
              treatFailureAsDeploymentFailure: flag({ since: '2022-03-01' }),
              enableAutomaticUpgrade: flag({ since: '2022-03-01' }),
            },
            open,
          ),
          { kept: true },
        ),
      },
      { ...open, since: '2021-07-01', kept: true },
    ),
    diagnosticsProfile: part(
      { bootDiagnostics: part({ enabled: flag(), storageUri: text() }, open) },
      { ...open, kept: true },
    ),
    additionalCapabilities: part({ ultraSSDEnabled: flag(), hibernationEnabled: flag() }, { ...open, kept: true }),
    priority: oneOf(['Regular', 'Low', 'Spot'], { since: '2019-03-01', createOnly: true }),
    evictionPolicy: oneOf(['Deallocate', 'Delete'], { since: '2019-03-01', createOnly: true }),
    licenseType: text({ kept: true }),
    userData: text({ since: '2021-03-01', kept: true, onDemand: 'userData' }),
    instanceView: anyJson({ readOnly: true }),
    vmId: text({ readOnly: true }),
    timeCreated: text({ since: '2021-11-01', readOnly: true, date: true }),
  },
  open,
)
export type VirtualMachineProperties = Static<typeof virtualMachineProperties>

/** ComputeRP writes `osProfile.adminUsername`, `imageReference`, `osDisk.name`: without its outer levels. */
function errorPath(path: readonly string[]): string {
  const inner = path.filter((step) => step !== 'properties')
  const short = inner[0] === 'storageProfile' && inner.length > 1 ? inner.slice(1) : inner
  return short.length === 0 ? 'virtualMachine' : short.join('.')
}

/**
 * Capabilities that are all off are left out: Terraform 5 sends them and reports a difference if they come back
 * (CLIENTS.md).
 */
function hideIdleCapabilities(_apiVersion: string, properties: JsonObject): JsonObject {
  const { additionalCapabilities, ...rest } = properties
  if (!isJsonObject(additionalCapabilities)) return properties
  return Object.values(additionalCapabilities).some((value) => value !== false) ? properties : rest
}

const action = (name: string, timing: Timing, notes: Partial<ActionDeclaration> = {}): ActionDeclaration => ({
  name,
  permission: `${type}/${name}/action`,
  timing,
  ...notes,
})

export const virtualMachines: ResourceTypeDeclaration = {
  type,
  errorName: 'virtualMachine',
  errorPath,
  apiVersions: computeApiVersions,
  name: virtualMachineNameRule,
  body: body(
    {
      properties: Type.Optional(virtualMachineProperties),
      identity: identity(),
      plan: part({ name: text(), publisher: text(), product: text(), promotionCode: text() }, { createOnly: true }),
      zones: texts({ createOnly: true }),
      extendedLocation: extendedLocation('2020-12-01'),
      managedBy: text({ since: '2022-03-01', readOnly: true }),
      resources: anyJson({ readOnly: true }),
      /** Only the server knows and writes it (src/compute); the body is open, so it has to be named to stay hidden. */
      'x-goldleaf': anyJson({ readOnly: true, writeOnly: true }),
      etag: text({ since: '2024-03-01', readOnly: true }),
    },
    open,
  ),
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: true,
  actions: [
    action('start', 'async'),
    action('powerOff', 'async'),
    action('restart', 'async'),
    action('deallocate', 'async'),
    action('generalize', 'sync'),
    action('instanceView', 'sync', { method: 'GET', permission: `${type}/instanceView/read` }),
    action('retrieveBootDiagnosticsData', 'sync', { since: '2020-06-01' }),
    // Where a developer on the host reaches the machine's metadata service.
    action('identityAddress', 'sync', { extension: true }),
  ],
  tracked: true,
  expands: ['instanceView', 'userData'],
  downgrade: hideIdleCapabilities,
}
