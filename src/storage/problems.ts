import { defineProblems } from '../base/problem.ts'

/** Azure's codes and texts (Microsoft.Storage). */
export const storageProblems = defineProblems({
  StorageAccountAlreadyTaken: {
    kind: 'conflict',
    say: (f: { name: string }) => `The storage account named ${f.name} is already taken. Choose another name.`,
  },
})
