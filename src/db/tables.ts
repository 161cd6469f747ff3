import type { Kysely, Transaction } from 'kysely'

/** Every table, in the form the database holds it (snake_case stays inside `*.rows.ts`). JSON columns are text. */
export interface Tables {
  container: ContainerTable
  setting: SettingTable
  subscription: SubscriptionTable
  activity_event: ActivityEventTable
  registration: RegistrationTable
  resource: ResourceTable
  operation: OperationTable
  replica: ReplicaTable
  upload: UploadTable
  sign_in_state: SignInStateTable
  tenant: TenantTable
  directory_object: DirectoryObjectTable
  directory_link: DirectoryLinkTable
  directory_secret: DirectorySecretTable
  subscription_alias: SubscriptionAliasTable
  soft_deleted: SoftDeletedTable
  artifact_file: ArtifactFileTable
  application_report: ApplicationReportTable
  role_assignment: RoleAssignmentTable
  role_definition: RoleDefinitionTable
  management_group: ManagementGroupTable
  management_group_subscription: ManagementGroupSubscriptionTable
  management_lock: ManagementLockTable
  access_version: AccessVersionTable
  gallery_share: GalleryShareTable
  gallery_invite: GalleryInviteTable
}

/** Facts of this installation that were drawn once: ids, keys' fingerprints. */
export interface SettingTable {
  name: string
  value: string
}

export interface SubscriptionTable {
  subscription_id: string
  tenant_id: string
  display_name: string
  state: string
}

/** Who did what to what, when and with which result (src/activity). Compared columns are in lower case. */
export interface ActivityEventTable {
  id: string
  timestamp_ms: number
  tenant_id: string
  /** Empty on the level of the tenant. */
  subscription_id: string
  resource_group: string
  resource_key: string
  provider: string
  caller: string
  correlation_id: string
  operation_id: string
  status: string
  /** JSON: the rest of the event. */
  facts: string
}

/** What a subscription asked for about a provider (`microsoft.compute`) or a feature (`microsoft.compute/name`). */
export interface RegistrationTable {
  subscription_id: string
  name_key: string
  is_wanted: number
  changed_ms: number
}

/** One row of truth per ARM resource (resource groups too): the newest, canonical shape. */
export interface ResourceTable {
  /** Lower-case id. */
  key: string
  /** As first written. */
  id: string
  /** Canonical spelling from the contract: `Microsoft.Compute/galleries/images`. */
  type: string
  name: string
  /** `sortKeyOf(name)`: lists are ordered and paged by it. */
  sort_key: string
  parent_key: string
  subscription_id: string
  resource_group_key: string
  location: string
  /** JSON: properties, without provisioningState. */
  properties: string
  /** JSON: other top-level members (sku, identity, zones, plan, managedBy …). */
  envelope: string
  /** JSON object, or null where the client never sent any. */
  tags: string | null
  provisioning_state: string
  etag: string
  created_ms: number
  changed_ms: number
  created_by: string
  changed_by: string
  /** The operation that is at work on it now. */
  operation_id: string | null
}

/** A durable workflow run; also what ARM shows as an asynchronous operation. */
export interface OperationTable {
  id: string
  workflow: string
  resource_key: string
  intent: string
  subscription_id: string
  location: string
  created_by: string
  state: string
  step: number
  attempt: number
  input: string
  outputs: string
  progress: string
  error: string | null
  result: string | null
  lease_owner: string | null
  lease_until_ms: number
  fence: number
  due_ms: number
  cancel_requested: number
  created_ms: number
  ended_ms: number | null
}

/** A disk of a version in one storage class of a place: what should be there, what is, and what it cost. */
export interface ReplicaTable {
  /** Key of the image version. */
  version_key: string
  /** -1 is the OS disk, else the data disk's LUN. */
  lun: number
  /** Short region name, or `region/edgezone`. */
  region: string
  storage_class: string
  replica_count: number
  state: string
  /** Hex root of the manifest, once known. */
  root: string | null
  virtual_size_bytes: number
  bytes_total: number
  bytes_done: number
  bytes_read: number
  bytes_new: number
  bytes_sent: number
  bytes_stored: number
  started_ms: number | null
  ended_ms: number | null
  error: string | null
}

/** Bytes handed in by clients before they belong to a resource: blobs and chunked pushes. */
export interface UploadTable {
  id: string
  kind: string
  /** `account/container/blob` in lower case for blobs; the disk's key for disk uploads; empty for pushes. */
  address: string
  subscription_id: string
  size_bytes: number
  state: string
  /** JSON of the kind's own facts. */
  facts: string
  root: string | null
  region: string | null
  storage_class: string | null
  created_ms: number
  expires_ms: number | null
}

export interface TenantTable {
  tenant_id: string
  display_name: string
  /** Lower case. */
  default_domain: string
  created_ms: number
}

/** A name under which a subscription was asked for. */
export interface SubscriptionAliasTable {
  tenant_id: string
  /** Lower case. */
  name_key: string
  name: string
  subscription_id: string
  workload: string
  created_ms: number
  created_by: string
}

/** A user, group, application or service principal. Ids are lower case. */
export interface DirectoryObjectTable {
  tenant_id: string
  object_id: string
  kind: string
  /** Lower case: a user's principal name, else the display name. */
  name_key: string
  app_id: string | null
  /** What no two objects of the server may share: a principal name, a client id, a principal's client id in its tenant. */
  unique_key: string
  /** Of a guest. */
  home_tenant_id: string | null
  home_object_id: string | null
  /** JSON: the object without tenant, id and kind. Never holds a secret. */
  body: string
  created_ms: number
}

/** `object_id` is a member or an owner of the object `of_id`, or holds the directory role with that template id. */
export interface DirectoryLinkTable {
  tenant_id: string
  kind: string
  of_id: string
  object_id: string
}

/** Hashes of users' passwords and of applications' secrets. */
export interface DirectorySecretTable {
  tenant_id: string
  object_id: string
  key_id: string
  hash: string
  start_ms: number
  end_ms: number | null
}

/** A version in the recycle bin; its replica rows stay and keep its bytes alive. */
export interface SoftDeletedTable {
  /** Key of the version. */
  version_key: string
  definition_key: string
  gallery_key: string
  /** JSON of the resource's row as it was. */
  resource: string
  deleted_ms: number
  deleted_by: string
  /** From then on nothing may be made of it any more. */
  consumption_end_ms: number
  /** From then on it may be removed for good at any time. */
  hard_delete_ms: number
}

/** A file of an application or script version: the store keeps whole sectors, this is what it really has. */
export interface ArtifactFileTable {
  version_key: string
  /** The `lun` of its replica rows. */
  file: number
  size_bytes: number
}

/** What a guest said last of one of its applications (src/compute). */
export interface ApplicationReportTable {
  vm_id: string
  application: string
  version: string
  action: string
  outcome: string
  exit_code: number | null
  output: string
  reported_ms: number
}

export interface RoleAssignmentTable {
  tenant_id: string
  /** GUID, lower case. */
  name: string
  scope: string
  /** Lower-case scope; `/` is the tenant's root. */
  scope_key: string
  principal_id: string
  principal_type: string
  role_id: string
  description: string | null
  /** Version 2.0; null: it counts always. */
  condition: string | null
  created_ms: number
  updated_ms: number
  created_by: string
  updated_by: string
}

/** Custom roles; the built-in ones are code. */
export interface RoleDefinitionTable {
  tenant_id: string
  role_id: string
  role_name: string
  name_key: string
  description: string
  /** JSON. */
  permissions: string
  /** JSON. */
  assignable_scopes: string
  created_ms: number
  updated_ms: number
  created_by: string
  updated_by: string
}

export interface ManagementGroupTable {
  tenant_id: string
  name_key: string
  name: string
  display_name: string
  parent_key: string | null
  updated_ms: number
  updated_by: string
}

export interface ManagementGroupSubscriptionTable {
  subscription_id: string
  tenant_id: string
  group_key: string
}

export interface ManagementLockTable {
  scope_key: string
  name_key: string
  scope: string
  name: string
  level: string
  notes: string | null
  created_ms: number
  updated_ms: number
  created_by: string
  updated_by: string
}

/** Counts the changes of a tenant's assignments, roles and management groups: an index of an older count is stale. */
export interface AccessVersionTable {
  tenant_id: string
  version: number
}

/** A gallery that is published to someone in a region. */
export interface GalleryShareTable {
  gallery_key: string
  region: string
  /** `subscription:{id}`, `tenant:{id}` or `community:{public name in lower case}`. */
  grantee: string
}

/** What someone a gallery is shared with answered: `accepted` or `rejected`. */
export interface GalleryInviteTable {
  grantee: string
  gallery_key: string
  state: string
  decided_by: string
  decided_ms: number
}

/** What signing in remembers. Every secret value is here only as a keyed hash; payloads are encrypted. */
export interface SignInStateTable {
  /** `RefreshToken`, `Session` … */
  kind: string
  id_hash: string
  grant_hash: string | null
  uid_hash: string | null
  user_code_hash: string | null
  /** Whose sign-in it is, once somebody has signed in. */
  account_hash: string | null
  payload: string
  consumed_ms: number | null
  expires_ms: number
}

/** A container of a storage account; both names in lower case. */
export interface ContainerTable {
  account: string
  name: string
  /** JSON object of texts. */
  metadata: string
  etag: string
  changed_ms: number
}

export type Db = Kysely<Tables>
export type Tx = Transaction<Tables>
/** What a `*.rows.ts` function needs: works inside and outside a transaction. */
export type DbOrTx = Kysely<Tables>
