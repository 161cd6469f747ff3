import { isJsonObject, type Json } from '../base/json.ts'
import type { VirtualMachineProperties } from '../contract/virtual-machines.ts'
import type { ImagePlan, ResolvedImage } from '../gallery/resolve-image.ts'
import type { Draft } from '../resources/resource.ts'
import { computeProblems } from './problems.ts'
import { vmProperties } from './vm-properties.ts'

/** What a machine may say of itself: values in, Azure's texts out. */

/** Generalised images need an osProfile, specialised ones must not have one (behaviour.md D). */
export function checkOsProfile(image: ResolvedImage, properties: VirtualMachineProperties): void {
  const parameter = 'osProfile'
  const isGiven = properties.osProfile !== undefined
  if (image.osState === 'Generalized' && !isGiven)
    throw computeProblems.RequiredParameterMissing({ parameter }, { target: parameter })
  if (image.osState === 'Specialized' && isGiven)
    throw computeProblems.ParameterNotAllowed({ parameter }, { target: parameter })
  const { secrets } = properties.osProfile ?? {}
  if (Array.isArray(secrets) && secrets.length > 0)
    throw computeProblems.VmUnsupported(
      { what: 'Handing out certificates from a key vault', instead: 'Leave osProfile.secrets out or empty.' },
      { target: 'osProfile.secrets' },
    )
}

/** Refuses what would be accepted without effect. */
export function checkVmSecurity(vm: Pick<Draft, 'properties'>): void {
  const { securityProfile, storageProfile } = vmProperties(vm)
  const refuse = (what: string, member: string): never => {
    throw computeProblems.EncryptionNotKept({ what, instead: `Leave '${member}' out.` }, { target: member })
  }
  if (securityProfile?.encryptionAtHost === true) refuse('Encryption at host', 'securityProfile.encryptionAtHost')
  if (/^ConfidentialVM$/i.test(securityProfile?.securityType ?? ''))
    refuse('A confidential virtual machine', 'securityProfile.securityType')
  for (const disk of [storageProfile?.osDisk, ...(storageProfile?.dataDisks ?? [])])
    if ((disk?.managedDisk?.securityProfile?.securityEncryptionType ?? '') !== '')
      refuse('A disk of a confidential machine', 'managedDisk.securityProfile')
}

/** A machine made of an image with a purchase plan names the same plan (D-IV). */
export function checkPlan(id: string, wanted: ImagePlan | undefined, given: Json | undefined): void {
  const text = ({ name = '', publisher = '', product = '' }: ImagePlan): string =>
    [name, publisher, product].join(' ').trim()
  if (wanted === undefined || text(wanted) === '') return
  if (!isJsonObject(given)) throw computeProblems.PlanMissing({ id }, { target: 'plan' })
  const plan: ImagePlan = given
  if (text(plan).toLowerCase() !== text(wanted).toLowerCase())
    throw computeProblems.PlanDiffers({ id, given: text(plan), wanted: text(wanted) }, { target: 'plan' })
}
