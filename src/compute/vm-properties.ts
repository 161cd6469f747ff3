import type { VirtualMachineProperties } from '../contract/virtual-machines.ts'
import type { Draft } from '../resources/resource.ts'

export type StorageProfile = NonNullable<VirtualMachineProperties['storageProfile']>
export type DataDisk = NonNullable<StorageProfile['dataDisks']>[number]

/** The row's JSON in the shape that the contract has checked. */
export function vmProperties(vm: Pick<Draft, 'properties'>): VirtualMachineProperties {
  return vm.properties
}

/** The disk encryption set that a machine names for one of its disks; undefined: none. */
export function namedSet(disk: Partial<DataDisk> | undefined): string | undefined {
  const id = disk?.managedDisk?.diskEncryptionSet?.id
  return id === '' ? undefined : id
}
