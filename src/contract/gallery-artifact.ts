import type { ResourceTypeDeclaration } from './resource-type.ts'

/** How every artifact below a gallery but images answers: all writes are operations, lists are its parent's alone. */
export const galleryArtifact = {
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: false,
  actions: [],
  tracked: true,
} as const satisfies Partial<ResourceTypeDeclaration>
