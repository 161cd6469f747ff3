import { findArmId } from '../base/arm-id.ts'
import { sortKeyOf } from '../base/natural-order.ts'
import { Problem } from '../base/problem.ts'
import { findResource, listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { deliver } from './await-applications.ts'
import { virtualMachineType, type ComputeDependencies } from './dependencies.ts'
import type { MachineRunner } from './machine-runner.ts'
import { asVmApplication, type VmApplication } from './vm-applications.ts'
import { editVmFacts, findVmFacts } from './vm-facts.ts'
import { vmProperties } from './vm-properties.ts'

/**
 * Gives machines the newest version of the applications that they name with `enableAutomaticUpgrade`, as soon as it is in
 * their region; those that run get it at once. Whoever named the application had the right to read it. May run twice.
 */
export async function upgradeApplications(
  deps: ComputeDependencies,
  runner: MachineRunner,
  signal: AbortSignal,
): Promise<void> {
  for (const vm of await listResourcesOfType(deps.db, virtualMachineType)) {
    signal.throwIfAborted()
    const references = (vmProperties(vm).applicationProfile?.galleryApplications ?? [])
      .filter(({ enableAutomaticUpgrade }) => enableAutomaticUpgrade === true)
      .map(({ packageReferenceId }) => packageReferenceId)
    // An operation of the machine has its own view of it; the next look comes soon.
    if (references.length === 0 || vm.operationId !== undefined) continue
    const newer = await findNewer(vm, references, deps)
    if (newer.size > 0) await upgrade(vm, newer, deps)
    // Also what an earlier run, cut off, has noted and not delivered.
    const facts = findVmFacts((await findResource(deps.db, vm.key))?.envelope ?? {})
    if (facts && runner.state(facts.vmId) === 'running') await deliver(facts, deps, runner)
  }
}

/** By the id of the version that the machine has. */
async function findNewer(
  vm: Resource,
  references: readonly string[],
  deps: Pick<ComputeDependencies, 'resolveApplication'>,
): Promise<ReadonlyMap<string, VmApplication>> {
  const newer = new Map<string, VmApplication>()
  for (const reference of references) {
    const parent = parentOf(reference)
    const had = findVmFacts(vm.envelope)?.applications?.find(({ versionId }) => parentOf(versionId) === parent)
    if (!had) continue
    try {
      const found = await deps.resolveApplication(reference, vm.location, { authorize: async () => {} })
      const version = findArmId(found.versionId)?.name ?? ''
      if (sortKeyOf(version) <= sortKeyOf(had.version)) continue
      const own = typeof had.configuration === 'string' ? had.configuration : found.configuration
      newer.set(had.versionId, {
        ...asVmApplication(found, own),
        order: had.order,
        failsDeployment: had.failsDeployment,
      })
    } catch (error) {
      // No version is there any more: the machine keeps what it has.
      if (!(error instanceof Problem)) throw error
    }
  }
  return newer
}

async function upgrade(
  vm: Resource,
  newer: ReadonlyMap<string, VmApplication>,
  deps: Pick<ComputeDependencies, 'db' | 'logger'>,
): Promise<void> {
  await deps.db.transaction().execute((tx) =>
    editVmFacts(tx, vm.key, (facts, row) => ({
      ...facts,
      applications:
        row.operationId === undefined
          ? facts.applications?.map((one) => newer.get(one.versionId) ?? one)
          : facts.applications,
    })),
  )
  const names = [...newer.values()].map(({ name, version }) => `${name} ${version}`)
  deps.logger.info({ vm: vm.id, applications: names }, 'applications of a virtual machine upgraded')
}

const parentOf = (versionId: string): string => versionId.toLowerCase().split('/').slice(0, -2).join('/')
