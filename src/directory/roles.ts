/** Entra ID's directory roles that mean something here; ids are their template ids, the same in every tenant. */
export const directoryRoles = {
  globalAdministrator: {
    id: '62e90394-69f5-4237-9190-012177145e10',
    displayName: 'Global Administrator',
    description: 'Manages everything in the tenant.',
  },
  userAdministrator: {
    id: 'fe930be7-5e62-47db-91af-98c3a49a38b1',
    displayName: 'User Administrator',
    description: 'Manages users and groups, resets passwords.',
  },
  applicationAdministrator: {
    id: '9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3',
    displayName: 'Application Administrator',
    description: 'Manages app registrations and service principals.',
  },
  directoryReaders: {
    id: '88d8e3e3-8f55-4a1e-953a-9b9898b8876b',
    displayName: 'Directory Readers',
    description: 'Reads the directory.',
  },
} as const

export type DirectoryRole = (typeof directoryRoles)[keyof typeof directoryRoles]
