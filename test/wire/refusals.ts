import { suite, test } from 'node:test'
import { fixedVhd, someDisk } from './vhd.ts'
import { assertRefused, definitionBody, diskVersion, openWire } from './wire.ts'
import type { Refusal, Wire } from './wire.ts'

/** A server with a gallery, a definition, a version in two regions and a disk: things that bad requests aim at. */
export async function openTargets(): Promise<{ readonly wire: Wire; readonly uri: string }> {
  const wire = await openWire()
  const uri = await wire.blob('one.vhd', fixedVhd(someDisk(1)))
  await wire.gallery('g')
  await wire.arm.must(
    'PUT',
    wire.at('galleries/g/images/d'),
    definitionBody('d', { eula: 'yes', features: [{ name: 'DiskControllerTypes', value: 'SCSI' }] }),
  )
  await wire.publish('g/d/1.0.0', uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] })
  await wire.arm.must('PUT', wire.at('disks/d', diskVersion), {
    location: 'westeurope',
    properties: { creationData: { createOption: 'Empty' }, diskSizeGB: 4 },
  })
  return { wire, uri }
}

export type Case = readonly [why: string, one: () => Refusal]

/** One test a case; what is refused is made when the server is there. */
export const tableOf =
  (wire: () => Wire) =>
  (title: string, cases: readonly Case[]): void =>
    void suite(title, () => {
      for (const [why, one] of cases) test(why, () => assertRefused(wire(), one()))
    })

/** A PUT that is answered with 400 InvalidParameter, Azure's usual code for a value. */
export function invalid(path: string, says: string | RegExp, body: unknown, target?: string): Refusal {
  return {
    why: '',
    path,
    body,
    status: 400,
    code: 'InvalidParameter',
    says,
    ...(target === undefined ? {} : { target }),
  }
}
