import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Resource } from '../resources/resource.ts'
import type { VmState } from './provider.ts'
import { describeApplications, type ApplicationReport } from './application-reports.ts'
import type { VmFacts } from './vm-facts.ts'
import { vmProperties } from './vm-properties.ts'

/** Azure's words for what a machine does (ComputeRP, InstanceViewStatus). */
const displayStatus = {
  starting: 'VM starting',
  running: 'VM running',
  stopping: 'VM stopping',
  stopped: 'VM stopped',
  deallocating: 'VM deallocating',
  deallocated: 'VM deallocated',
} as const
export type PowerWord = keyof typeof displayStatus

/** What a machine really does, told from its process, and from what was last asked of it where there is none. */
function powerWord(facts: VmFacts, state: VmState, isAtWork: boolean): PowerWord {
  if (state === 'running') return 'running'
  if (state === 'stopping') return facts.power === 'deallocated' ? 'deallocating' : 'stopping'
  if (facts.power === 'deallocated') return 'deallocated'
  return facts.power === 'running' && isAtWork ? 'starting' : 'stopped'
}

export interface InstanceFacts {
  readonly facts: VmFacts
  readonly state: VmState
  /** What the guest said of its applications. */
  readonly reports: readonly ApplicationReport[]
  /** Signed, where the caller gets one. */
  readonly serialLogAddress: string | undefined
}

export function instanceView(vm: Resource, { facts, state, reports, serialLogAddress }: InstanceFacts): JsonObject {
  const power = powerWord(facts, state, vm.operationId !== undefined)
  const time = formatArmTime(vm.changedMs)
  const osType = vmProperties(vm).storageProfile?.osDisk?.osType ?? ''
  const extensions = describeApplications(facts.applications ?? [], reports, osType)
  return {
    hyperVGeneration: facts.generation,
    ...(serialLogAddress === undefined ? {} : { bootDiagnostics: { serialConsoleLogBlobUri: serialLogAddress } }),
    ...(extensions.length === 0 ? {} : { extensions }),
    statuses: [
      { ...provisioningStatus(vm), time },
      ...(facts.isGeneralized ? [{ code: 'OSState/generalized', level: 'Info', displayStatus: 'VM generalized' }] : []),
      { code: `PowerState/${power}`, level: 'Info', displayStatus: displayStatus[power] },
    ],
  }
}

function provisioningStatus(vm: Resource): JsonObject {
  switch (vm.provisioningState) {
    case 'Succeeded':
      return { code: 'ProvisioningState/succeeded', level: 'Info', displayStatus: 'Provisioning succeeded' }
    case 'Failed':
      return { code: 'ProvisioningState/failed', level: 'Error', displayStatus: 'Provisioning failed' }
    case 'Creating':
    case 'Updating':
    case 'Deleting': {
      const word = vm.provisioningState.toLowerCase()
      return { code: `ProvisioningState/${word}`, level: 'Info', displayStatus: vm.provisioningState }
    }
  }
}
