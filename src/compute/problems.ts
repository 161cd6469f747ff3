import { defineProblems } from '../base/problem.ts'

/** Azure's own codes and texts where it has them (behaviour.md A1, A2). */
export const computeProblems = defineProblems({
  RequiredParameterMissing: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string }) => `Required parameter '${f.parameter}' is missing (null).`,
  },
  ParameterNotAllowed: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string }) => `Parameter '${f.parameter}' is not allowed.`,
  },
  // Applications of a machine: Azure's texts (documentation of VM applications, "Error messages").
  VmApplicationsTooMany: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { most: number; count: number }) =>
      `The maximum number of VM applications (max=${f.most}, current=${f.count}) has been exceeded. Use fewer applications and retry the request.`,
  },
  VmApplicationTwice: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'More than one VM Application was specified with the same packageReferenceId.',
  },
  VmApplicationOsDiffers: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { name: string; supported: string; osType: string }) =>
      `Current VM Application Version ${f.name} supports OS ${f.supported}, while current OSDisk's OS is ${f.osType}.`,
  },
  InvalidParameterValue: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string; reason: string }) => `The value of parameter ${f.parameter} is invalid. ${f.reason}`,
  },
  DiskSizeTooSmall: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { name: string; askedGB: number; neededGB: number }) =>
      `The specified disk size ${f.askedGB} GB is smaller than the size of the corresponding disk in the VM image: ` +
      `${f.neededGB} GB (disk '${f.name}'). Ask for ${f.neededGB} GB or more, or leave diskSizeGB out.`,
  },
  SourceIsUltraDisk: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) =>
      `Source disk ${f.id} cannot be stored in an UltraSSD account type. Take one of another type.`,
  },
  PlanMissing: {
    kind: 'invalid',
    code: 'VMMarketplaceInvalidInput',
    say: (f: { id: string }) =>
      `Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires Plan information in the request. VM: '${f.id}'.`,
  },
  PlanDiffers: {
    kind: 'invalid',
    code: 'VMMarketplaceInvalidInput',
    say: (f: { id: string; given: string; wanted: string }) =>
      `The Plan information in the request, '${f.given}', is not that of the image, '${f.wanted}'. VM: '${f.id}'.`,
  },
  EncryptionNotKept: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { what: string; instead: string }) =>
      `${f.what} is not supported by this server: the bytes would not be encrypted so. ${f.instead}`,
  },
  VmUnsupported: {
    kind: 'invalid',
    code: 'BadRequest',
    say: (f: { what: string; instead: string }) => `${f.what} is not supported by this server. ${f.instead}`,
  },
  VmNotRunning: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string; action: string }) =>
      `Cannot ${f.action} virtual machine '${f.name}' because it is not running. Start it first.`,
  },
  VmMustBeStopped: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string; action: string }) =>
      `Cannot ${f.action} virtual machine '${f.name}' while it is running. Call powerOff or deallocate first.`,
  },
  DiskNotPlugged: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { lun: string; reason: string }) =>
      `The disk at LUN ${f.lun} could not be added to the running virtual machine: ${f.reason}. It is attached: power the ` +
      `machine off and start it, and it is there.`,
  },
  DiskNotReleased: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { lun: string; seconds: number }) =>
      `The guest did not let go of the disk at LUN ${f.lun} within ${f.seconds} s: its system is not up, or does not take ` +
      `disks away while it runs. Power the virtual machine off or deallocate it, then send the request again.`,
  },
  VmGeneralized: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string }) =>
      `Operation 'start' is not allowed on VM '${f.name}' since the VM is generalized. Create a new one from an image.`,
  },
  VmFailedToStart: {
    kind: 'internal',
    code: 'VMStartFailed',
    say: (f: { reason: string }) =>
      `The virtual machine could not be started: ${f.reason} The server's log has the details; correct that, then call start.`,
  },
  // Not `unavailable`: that is tried again and again, and an installation is not a matter of seconds.
  HypervisorMissing: {
    kind: 'conflict',
    code: 'HypervisorNotInstalled',
    say: (f: { program: string }) =>
      `This server cannot run virtual machines: the program '${f.program}' is not installed. ` +
      `On the server run 'apt-get install qemu-system-x86' (or set its path in the configuration), then call start.`,
  },
  FirmwareMissing: {
    kind: 'conflict',
    say: () =>
      `The image is of generation V2, which boots by UEFI, and this server has no UEFI firmware. ` +
      `On the server run 'apt-get install ovmf', then call start.`,
  },
  ApplicationBytesGone: {
    kind: 'absent',
    code: 'GalleryImageNotFound',
    say: (f: { names: string }) =>
      `The bytes of an application of this virtual machine (${f.names}) are no longer in its region. ` +
      `Its version was deleted while the machine was being written; name another version in applicationProfile.`,
  },
  ApplicationFailed: {
    kind: 'conflict',
    code: 'VMExtensionProvisioningError',
    say: (f: { failures: string }) =>
      `VM has reported a failure when processing extension 'VMAppExtension' (publisher 'Microsoft.CPlat.Core' and type ` +
      `'VMApplicationManagerLinux'). Error message: '${f.failures}'. The virtual machine runs. Name another version of the ` +
      `application, or set treatFailureAsDeploymentFailure to false.`,
  },
  ApplicationsTooSlow: {
    kind: 'conflict',
    code: 'VMExtensionProvisioningTimeout',
    say: (f: { names: string; seconds: number }) =>
      `Provisioning of VM extension VMAppExtension has timed out. Extension installation may be taking too long, or extension ` +
      `status could not be obtained: ${f.names} did not end within ${f.seconds} s. See the machine's serial log; the ` +
      `configuration's applicationTimeoutSeconds gives more time.`,
  },
  GuestSilent: {
    kind: 'conflict',
    code: 'VMAgentStatusCommunicationError',
    say: (f: { vmName: string; seconds: number }) =>
      `VM '${f.vmName}' has not reported status for VM agent or extensions within ${f.seconds} s. Verify that its system is ` +
      `up, that it has a network card with DHCP and curl or wget, and that it runs install.sh of the drive 'goldleaf-apps' ` +
      `at its boot (generalized images with cloud-init do; others need it in the image), or set ` +
      `treatFailureAsDeploymentFailure to false.`,
  },
  VmEndedWhileInstalling: {
    kind: 'conflict',
    code: 'VMExtensionProvisioningError',
    say: (f: { vmName: string }) =>
      `VM '${f.vmName}' ended before its applications were installed. See its serial log, then start it.`,
  },
  BlobTooLarge: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { sizeBytes: number; maximumBytes: number }) =>
      `The blob of configurationReference has ${f.sizeBytes} bytes; at most ${f.maximumBytes} are kept with a virtual machine. ` +
      `Publish it with the application version as defaultConfigurationLink.`,
  },
  ImageBytesGone: {
    kind: 'absent',
    code: 'GalleryImageNotFound',
    say: (f: { lun: string; region: string }) =>
      `The bytes of disk ${f.lun} of the image are no longer in region ${f.region}. ` +
      `The image version was deleted while the machine was being created; choose another version.`,
  },
  DiskSourceNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { id: string }) => `The source disk or snapshot '${f.id}' was not found. Check its id and location.`,
  },
  DiskNotReady: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string; state: string; needed: string }) =>
      `The disk '${f.name}' is in state ${f.state}. ${f.needed}`,
  },
  ImageSourceNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { id: string; location: string }) =>
      `The source '${f.id}' of the image was not found in location '${f.location}'. Check its id; image and source must be in one location.`,
  },
  ManagedImageNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { id: string; location: string }) => `The Image '${f.id}' cannot be found in '${f.location}' region.`,
  },
  VmNotGeneralized: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string }) =>
      `A managed image cannot be created from virtual machine '${f.name}' because it is not generalized. Prepare its system (waagent -deprovision, sysprep), deallocate it and call generalize; a specialized machine can be published as a gallery image version.`,
  },
  SourceNotReady: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { id: string; state: string }) =>
      `The source '${f.id}' is in provisioning state ${f.state}. Wait until it is Succeeded, or create it anew.`,
  },
  /** Azure's words of a machine that is the source of an image version: behaviour.md A2. */
  SourceEphemeral: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `Source virtual machine ${f.id} cannot contain an ephemeral OS disk.`,
  },
  SourceUltra: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; disk: string }) =>
      `Source virtual machine ${f.id} cannot contain disk ['${f.disk}'] stored in an UltraSSD account type.`,
  },
  SourceUnmanaged: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string }) => `Source virtual machine ${f.id} must be created from Managed Disks.`,
  },
  DiskHasOwner: {
    kind: 'conflict',
    code: 'ConflictingUserInput',
    say: (f: { disk: string; owner: string }) =>
      `Disk '${f.disk}' cannot be attached as the disk is already owned by VM '${f.owner}'.`,
  },
  DiskExists: {
    kind: 'conflict',
    code: 'ConflictingUserInput',
    say: (f: { name: string; group: string }) =>
      `Disk ${f.name} already exists in resource group ${f.group}. Only CreateOption.Attach is supported.`,
  },
  DiskAttached: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { disk: string; vm: string }) =>
      `Disk ${f.disk} is attached to VM ${f.vm}. Detach it, or delete the virtual machine, and try again.`,
  },
  DiskInUse: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string; state: string; action: string }) =>
      `Cannot ${f.action} disk '${f.name}' while it is in state ${f.state}. Call endGetAccess first.`,
  },
})
