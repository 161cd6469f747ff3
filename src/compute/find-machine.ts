import type { Db } from '../db/tables.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { virtualMachineType } from './dependencies.ts'
import { findVmFacts } from './vm-facts.ts'

/** The machine with this id of ours, if it is still there. */
export async function findMachine(db: Db, vmId: string): Promise<Resource | undefined> {
  const all = await listResourcesOfType(db, virtualMachineType)
  return all.find((vm) => findVmFacts(vm.envelope)?.vmId === vmId)
}
