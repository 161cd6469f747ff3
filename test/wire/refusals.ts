import { after, before, suite, test } from 'node:test'
import { fixedVhd, someDisk } from './vhd.ts'
import { assertRefused, definitionBody, diskVersion, openWire, versionBody } from './wire.ts'
import type { Body, Refusal, Wire } from './wire.ts'

export interface Targets {
  readonly wire: Wire
  /** Of an uploaded disk. */
  readonly uri: string
}

/** A server with a gallery, a definition, a version in two regions and a disk: things that bad requests aim at. */
export async function openTargets(): Promise<Targets> {
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

type Case = readonly [why: string, one: () => Refusal]

/**
 * For a suite's body: makes the targets before its tests and hands them to `take`. Answers how to name them, and a table of
 * refusals: one test a case; what is refused is made when the server is there.
 */
export function useTargets(take: (made: Targets) => void) {
  let targets: Targets
  before(async () => {
    targets = await openTargets()
    take(targets)
  })
  after(() => targets?.wire[Symbol.asyncDispose]())
  const at = (path: string): string => targets.wire.at(path)
  return {
    gallery: (name: string) => at(`galleries/${name}`),
    definition: (name: string) => at(`galleries/g/images/${name}`),
    versionAt: (name: string) => at(`galleries/g/images/d/versions/${name}`),
    newVersion: (profile: Body): Refusal['body'] => versionBody(targets.uri, profile),
    table: (title: string, cases: readonly Case[]): void =>
      void suite(title, () => {
        for (const [why, one] of cases) test(why, () => assertRefused(targets.wire, one()))
      }),
  }
}

/** A PUT that is answered with 400 InvalidParameter, Azure's usual code for a value. */
export function invalid(path: string, says: string | RegExp, body: unknown, target?: string): Refusal {
  return {
    path,
    body,
    status: 400,
    code: 'InvalidParameter',
    says,
    ...(target === undefined ? {} : { target }),
  }
}
