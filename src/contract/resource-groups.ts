import { Type } from 'typebox'
import { resourcesApiVersions } from './api-versions.ts'
import { body } from './envelope.ts'
import { resourceGroupNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { text } from './schema.ts'

const resourceGroupProperties = Type.Object({})

export const resourceGroupType = 'Microsoft.Resources/resourceGroups'

export const resourceGroups: ResourceTypeDeclaration = {
  type: resourceGroupType,
  errorName: 'resourceGroup',
  errorPath: (path) => path.join('.'),
  apiVersions: resourcesApiVersions,
  name: resourceGroupNameRule,
  body: body({ properties: Type.Optional(resourceGroupProperties), managedBy: text({ createOnly: true }) }),
  put: 'sync',
  patch: 'sync',
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: true,
  actions: [],
  tracked: true,
}
