// The workflow that recovery.test.ts and the process that it kills have in common.
import { keepSetting } from '../db/setting.rows.ts'
import type { Workflow } from './workflow.ts'

export const stepNames = ['one', 'two', 'three'] as const

export function threeSteps(hooks: { onStep(name: string): Promise<void>; onSettle?(): Promise<void> }): Workflow {
  return {
    name: 'three-steps',
    steps: stepNames.map((name) => ({
      name,
      async run({ outputs }) {
        await hooks.onStep(name)
        return `${Object.values(outputs).map(String).join('')}${name[0]}`
      },
    })),
    async settle(tx, operation, outcome) {
      await keepSetting(tx, `settled ${operation.id}`, outcome.state)
      await hooks.onSettle?.()
    },
  }
}
