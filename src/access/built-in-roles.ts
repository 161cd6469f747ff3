import type { RoleDefinition, RolePermissions } from './role.ts'

/**
 * The built-in roles that have something to say about what this server holds: names, ids and permissions as Azure
 * publishes them (MicrosoftDocs/azure-docs, role-based-access-control/built-in-roles, 2026-07). Actions of providers
 * that are not here stay in: a client that reads a role sees Azure's.
 */
export const ownerRoleId = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'
export const contributorRoleId = 'b24988ac-6180-42a0-ab88-20f7382dd24c'
export const readerRoleId = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
export const userAccessAdministratorRoleId = '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9'
export const storageBlobDataOwnerRoleId = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

/** Azure's own dates of its oldest roles. */
const createdMs = Date.UTC(2015, 1, 2, 21, 55, 9, 880)
const updatedMs = Date.UTC(2026, 6, 1)

function builtIn(
  roleName: string,
  roleId: string,
  description: string,
  permissions: Partial<RolePermissions>,
): RoleDefinition {
  const none = { actions: [], notActions: [], dataActions: [], notDataActions: [] }
  const about = { roleName, roleId, description, roleType: 'BuiltInRole', assignableScopes: ['/'] } as const
  return { ...about, permissions: [{ ...none, ...permissions }], createdMs, updatedMs, createdBy: '', updatedBy: '' }
}

const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'
const containers = 'Microsoft.Storage/storageAccounts/blobServices/containers'
const delegationKey = 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action'
const resourceGroupsRead = 'Microsoft.Resources/subscriptions/resourceGroups/read'
/** What nearly every role for one service also has. */
const usual = [
  'Microsoft.Authorization/*/read',
  'Microsoft.Insights/alertRules/*',
  'Microsoft.Resources/deployments/*',
  resourceGroupsRead,
]
const support = 'Microsoft.Support/*'

const privileged: readonly RoleDefinition[] = [
  builtIn(
    'Owner',
    ownerRoleId,
    'Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.',
    { actions: ['*'] },
  ),
  builtIn(
    'Contributor',
    contributorRoleId,
    'Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage ' +
      'assignments in Azure Blueprints, or share image galleries.',
    {
      actions: ['*'],
      notActions: [
        'Microsoft.Authorization/*/Delete',
        'Microsoft.Authorization/*/Write',
        'Microsoft.Authorization/elevateAccess/Action',
        'Microsoft.Blueprint/blueprintAssignments/write',
        'Microsoft.Blueprint/blueprintAssignments/delete',
        'Microsoft.Compute/galleries/share/action',
        'Microsoft.Purview/consents/write',
        'Microsoft.Purview/consents/delete',
        'Microsoft.Resources/deploymentStacks/manageDenySetting/action',
        'Microsoft.Subscription/cancel/action',
        'Microsoft.Subscription/enable/action',
      ],
    },
  ),
  builtIn('Reader', readerRoleId, 'View all resources, but does not allow you to make any changes.', {
    actions: ['*/read'],
  }),
  builtIn(
    'User Access Administrator',
    userAccessAdministratorRoleId,
    'Lets you manage user access to Azure resources.',
    { actions: ['*/read', 'Microsoft.Authorization/*', support] },
  ),
  builtIn(
    'Role Based Access Control Administrator',
    'f58310d9-a9f6-439a-9e8d-f62e7b41a168',
    'Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage ' +
      'access using other ways, such as Azure Policy.',
    {
      actions: [
        'Microsoft.Authorization/roleAssignments/write',
        'Microsoft.Authorization/roleAssignments/delete',
        '*/read',
        support,
      ],
    },
  ),
]

const compute: readonly RoleDefinition[] = [
  builtIn(
    'Compute Gallery Artifacts Publisher',
    '85a2d0d9-2eba-4c9c-b355-11c2cc0788ab',
    'This is the role for publishing gallery artifacts.',
    {
      actions: [
        'Microsoft.Compute/galleries/*',
        'Microsoft.Compute/locations/capsOperations/read',
        'Microsoft.Compute/locations/communityGalleries/*',
        'Microsoft.Compute/locations/sharedGalleries/*',
        'Microsoft.Compute/images/*',
        'Microsoft.Compute/virtualMachines/write',
        'Microsoft.Compute/disks/write',
        ...usual,
      ],
      notActions: ['Microsoft.Compute/galleries/share/action'],
    },
  ),
  builtIn(
    'Compute Gallery Image Reader',
    'cf7c76d2-98a3-4358-a134-615aa78bf44d',
    'This is the role for reading gallery images.',
    { actions: ['Microsoft.Compute/galleries/images/read', 'Microsoft.Compute/galleries/images/versions/read'] },
  ),
  builtIn(
    'Compute Gallery Sharing Admin',
    '1ef6a3be-d0ac-425d-8c01-acb62866290b',
    'This role allows user to share gallery to another subscription/tenant or share it to the public.',
    { actions: ['Microsoft.Compute/galleries/share/action'] },
  ),
  builtIn(
    'Data Operator for Managed Disks',
    '959f8984-c045-4866-89c7-12bf9737be2e',
    'Provides permissions to upload data to empty managed disks, read, or export data of managed disks (not attached ' +
      'to running VMs) and snapshots using SAS URIs and Azure AD authentication.',
    {
      dataActions: ['disks', 'snapshots'].flatMap((type) => [
        `Microsoft.Compute/${type}/download/action`,
        `Microsoft.Compute/${type}/upload/action`,
      ]),
    },
  ),
  builtIn(
    'Disk Backup Reader',
    '3e5e47e6-65f7-47ef-90b5-e5dd4d455f24',
    'Provides permission to backup vault to perform disk backup.',
    {
      actions: [
        'Microsoft.Authorization/*/read',
        resourceGroupsRead,
        'Microsoft.Compute/disks/read',
        'Microsoft.Compute/disks/beginGetAccess/action',
      ],
    },
  ),
  builtIn(
    'Disk Restore Operator',
    'b50d9833-a0cb-478e-945f-707fcc997c13',
    'Provides permission to backup vault to perform disk restore.',
    {
      actions: [
        'Microsoft.Authorization/*/read',
        resourceGroupsRead,
        'Microsoft.Compute/disks/write',
        'Microsoft.Compute/disks/read',
      ],
    },
  ),
  builtIn(
    'Disk Snapshot Contributor',
    '7efff54f-a5b4-42b5-a1c5-5411624893ce',
    'Provides permission to backup vault to manage disk snapshots.',
    {
      actions: [
        'Microsoft.Authorization/*/read',
        resourceGroupsRead,
        'Microsoft.Compute/snapshots/delete',
        'Microsoft.Compute/snapshots/write',
        'Microsoft.Compute/snapshots/read',
        'Microsoft.Compute/snapshots/beginGetAccess/action',
        'Microsoft.Compute/snapshots/endGetAccess/action',
        'Microsoft.Compute/disks/beginGetAccess/action',
        'Microsoft.Storage/storageAccounts/listkeys/action',
        'Microsoft.Storage/storageAccounts/write',
        'Microsoft.Storage/storageAccounts/read',
        'Microsoft.Storage/storageAccounts/delete',
      ],
    },
  ),
  builtIn(
    'Virtual Machine Contributor',
    '9980e02c-c2be-4d73-94e8-173b1dc7cf3c',
    'Lets you manage virtual machines, but not access to them, and not the virtual network or storage account ' +
      "they're connected to.",
    {
      actions: [
        'Microsoft.Authorization/*/read',
        'Microsoft.Compute/availabilitySets/*',
        'Microsoft.Compute/locations/*',
        'Microsoft.Compute/virtualMachines/*',
        'Microsoft.Compute/virtualMachineScaleSets/*',
        'Microsoft.Compute/cloudServices/*',
        'Microsoft.Compute/disks/write',
        'Microsoft.Compute/disks/read',
        'Microsoft.Compute/disks/delete',
        'Microsoft.DevTestLab/schedules/*',
        'Microsoft.Insights/alertRules/*',
        'Microsoft.Network/applicationGateways/backendAddressPools/join/action',
        'Microsoft.Network/loadBalancers/backendAddressPools/join/action',
        'Microsoft.Network/loadBalancers/inboundNatPools/join/action',
        'Microsoft.Network/loadBalancers/inboundNatRules/join/action',
        'Microsoft.Network/loadBalancers/probes/join/action',
        'Microsoft.Network/loadBalancers/read',
        'Microsoft.Network/locations/*',
        'Microsoft.Network/networkInterfaces/*',
        'Microsoft.Network/networkSecurityGroups/join/action',
        'Microsoft.Network/networkSecurityGroups/read',
        'Microsoft.Network/publicIPAddresses/join/action',
        'Microsoft.Network/publicIPAddresses/read',
        'Microsoft.Network/virtualNetworks/read',
        'Microsoft.Network/virtualNetworks/subnets/join/action',
        'Microsoft.RecoveryServices/locations/*',
        'Microsoft.RecoveryServices/Vaults/backupFabrics/backupProtectionIntent/write',
        'Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/*/read',
        'Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/read',
        'Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/write',
        'Microsoft.RecoveryServices/Vaults/backupPolicies/read',
        'Microsoft.RecoveryServices/Vaults/backupPolicies/write',
        'Microsoft.RecoveryServices/Vaults/read',
        'Microsoft.RecoveryServices/Vaults/usages/read',
        'Microsoft.RecoveryServices/Vaults/write',
        'Microsoft.ResourceHealth/availabilityStatuses/read',
        'Microsoft.Resources/deployments/*',
        resourceGroupsRead,
        'Microsoft.SerialConsole/serialPorts/connect/action',
        'Microsoft.SqlVirtualMachine/*',
        'Microsoft.Storage/storageAccounts/listKeys/action',
        'Microsoft.Storage/storageAccounts/read',
        support,
      ],
    },
  ),
]

const storage: readonly RoleDefinition[] = [
  builtIn(
    'Storage Account Contributor',
    '17d1049b-9a84-46fb-8f53-869881c3d3ab',
    'Lets you manage storage accounts, including accessing storage account keys which provide full access to storage ' +
      'account data.',
    {
      actions: [
        'Microsoft.Authorization/*/read',
        'Microsoft.Insights/alertRules/*',
        'Microsoft.Insights/diagnosticSettings/*',
        'Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action',
        'Microsoft.ResourceHealth/availabilityStatuses/read',
        'Microsoft.Resources/deployments/*',
        resourceGroupsRead,
        'Microsoft.Storage/storageAccounts/*',
        support,
      ],
    },
  ),
  builtIn(
    'Storage Blob Data Owner',
    storageBlobDataOwnerRoleId,
    'Allows for full access to Azure Storage blob containers and data, including assigning POSIX access control.',
    { actions: [`${containers}/*`, delegationKey], dataActions: [`${blobs}/*`] },
  ),
  builtIn(
    'Storage Blob Data Contributor',
    'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
    'Allows for read, write and delete access to Azure Storage blob containers and data',
    {
      actions: [`${containers}/delete`, `${containers}/read`, `${containers}/write`, delegationKey],
      dataActions: ['delete', 'read', 'write', 'move/action', 'add/action'].map((one) => `${blobs}/${one}`),
    },
  ),
  builtIn(
    'Storage Blob Data Reader',
    '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1',
    'Allows for read access to Azure Storage blob containers and data',
    { actions: [`${containers}/read`, delegationKey], dataActions: [`${blobs}/read`] },
  ),
  builtIn(
    'Storage Blob Delegator',
    'db58b8e5-c6ad-4a2a-8342-4190687cbf4a',
    'Allows for generation of a user delegation key which can be used to sign SAS tokens',
    { actions: [delegationKey] },
  ),
]

const others: readonly RoleDefinition[] = [
  builtIn(
    'Managed Identity Contributor',
    'e40ec5ca-96e0-45a2-b4ff-59039f2c2b59',
    'Create, Read, Update, and Delete User Assigned Identity',
    {
      actions: ['read', 'write', 'delete']
        .map((one) => `Microsoft.ManagedIdentity/userAssignedIdentities/${one}`)
        .concat(usual, support),
    },
  ),
  builtIn(
    'Managed Identity Operator',
    'f1a07417-d97a-45cb-824c-7a7467783830',
    'Read and Assign User Assigned Identity',
    {
      actions: [
        'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
        'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
        ...usual,
        support,
      ],
    },
  ),
  builtIn('Monitoring Reader', '43d0d8ad-25c7-4714-9337-8ba259a9fe05', 'Can read all monitoring data.', {
    actions: ['*/read', 'Microsoft.OperationalInsights/workspaces/search/action', support],
  }),
  builtIn(
    'Log Analytics Reader',
    '73c42c96-874c-492b-b04d-ab87d138a893',
    'Log Analytics Reader can view and search all monitoring data as well as and view monitoring settings, including ' +
      'viewing the configuration of Azure diagnostics on all Azure resources.',
    {
      actions: [
        '*/read',
        'Microsoft.OperationalInsights/workspaces/analytics/query/action',
        'Microsoft.OperationalInsights/workspaces/search/action',
        support,
      ],
      notActions: ['Microsoft.OperationalInsights/workspaces/sharedKeys/read'],
    },
  ),
  builtIn('Management Group Contributor', '5d58bcaf-24a5-4b20-bdb6-eed9f69fbe4c', 'Management Group Contributor Role', {
    actions: ['delete', 'read', 'subscriptions/delete', 'subscriptions/write', 'write', 'subscriptions/read']
      .map((one) => `Microsoft.Management/managementGroups/${one}`)
      .concat('Microsoft.Authorization/*/read'),
  }),
  builtIn('Management Group Reader', 'ac63b705-f282-497d-ac71-919bf39d939d', 'Management Group Reader Role', {
    actions: ['Microsoft.Management/managementGroups/read', 'Microsoft.Management/managementGroups/subscriptions/read'],
  }),
]

export const builtInRoles: readonly RoleDefinition[] = [...privileged, ...compute, ...storage, ...others]
