import { defineProblems } from '../base/problem.ts'
import { formatBytes } from '../base/units.ts'

/** What the data plane refuses and why. Where Azure Storage has a code for it, the key is Azure's code. */
export const transferProblems = defineProblems({
  AuthenticationFailed: {
    kind: 'forbidden',
    say: (f: { reason: string }) =>
      `The signed address was refused: ${f.reason} Ask for a new address (beginGetAccess, or POST /goldleaf/v1/blob-addresses).`,
  },
  NoAuthenticationInformation: {
    kind: 'unauthenticated',
    say: () =>
      'The request carries neither a signed address nor a bearer token. Use the address as it was handed out, with its query, or send an Authorization header.',
  },
  AuthorizationPermissionMismatch: {
    kind: 'forbidden',
    say: () =>
      'The signature is good, but does not permit this operation on this resource. Ask for one with the permission.',
  },
  ContainerNotFound: {
    kind: 'absent',
    say: (f: { name: string }) => `The container '${f.name}' does not exist. Create it first.`,
  },
  ContainerAlreadyExists: {
    kind: 'conflict',
    say: (f: { name: string }) => `The container '${f.name}' already exists.  Use it, or choose another name.`,
  },
  OutOfRangeQueryParameterValue: {
    kind: 'invalid',
    say: (f: { parameter: string }) =>
      `The query parameter '${f.parameter}' is out of range. Give a whole number from 1.`,
  },
  BlobNotFound: {
    kind: 'absent',
    say: (f: { name: string }) => `There is no blob or upload '${f.name}'. Check the address, or upload it first.`,
  },
  DiskNotFound: {
    kind: 'absent',
    say: (f: { name: string }) =>
      `The disk '${f.name}' is not stored in this region and storage class. Ask for a new address of a version that is replicated here.`,
  },
  BlobAlreadyExists: {
    kind: 'conflict',
    say: (f: { name: string }) => `Blob '${f.name}' exists and the request said not to replace it. Use another name.`,
  },
  InvalidBlobType: {
    kind: 'conflict',
    say: (f: { name: string; is: string }) =>
      `The operation does not fit '${f.name}', which is a ${f.is} blob. Delete it first, or use the operations of that type.`,
  },
  InvalidUri: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The address is not valid: ${f.reason}`,
  },
  InvalidHeaderValue: {
    kind: 'invalid',
    say: (f: { header: string; value: string; expected: string }) =>
      `Header '${f.header}' has the value '${f.value.slice(0, 100)}'; expected ${f.expected}.`,
  },
  MissingRequiredHeader: {
    kind: 'invalid',
    say: (f: { header: string; expected: string }) => `Header '${f.header}' is missing; send ${f.expected}.`,
  },
  InvalidPageRange: {
    kind: 'rangeNotSatisfiable',
    say: (f: { range: string; sizeBytes: number }) =>
      `Range '${f.range.slice(0, 100)}' does not fit a page blob of ${f.sizeBytes} bytes: it must start and end on 512 byte borders, within the blob.`,
  },
  InvalidRange: {
    kind: 'rangeNotSatisfiable',
    say: (f: { range: string; sizeBytes: number }) =>
      `Range '${f.range.slice(0, 100)}' is outside of the ${f.sizeBytes} bytes that are there.`,
  },
  InvalidBlobOrBlock: {
    kind: 'invalid',
    code: 'InvalidBlockList',
    say: (f: { block: string }) => `Block '${f.block}' was not uploaded. Put it again, then the list.`,
  },
  InvalidBlockId: {
    kind: 'invalid',
    say: () => 'The block id must be base64 of 1 to 64 bytes. Correct the blockid parameter.',
  },
  InvalidXmlDocument: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The block list could not be read: ${f.reason}`,
  },
  InvalidBody: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The request body could not be used: ${f.reason}`,
  },
  Md5Mismatch: {
    kind: 'invalid',
    say: () => 'The body does not match its Content-MD5: it was changed on the way. Send it again.',
  },
  RequestBodyTooLarge: {
    kind: 'tooLarge',
    say: (f: { what: string; limitBytes: number; givenBytes?: number | undefined }) =>
      `${f.what} may have at most ${f.limitBytes} bytes (${formatBytes(f.limitBytes)})${f.givenBytes === undefined ? '' : `, not ${f.givenBytes}`}. Send it in smaller parts, or raise the limit in the server's configuration.`,
  },
  IncompleteBody: {
    kind: 'invalid',
    say: (f: { expectedBytes: number; receivedBytes: number }) =>
      `The body ended after ${f.receivedBytes} of ${f.expectedBytes} bytes. Send it again, or go on from there with Content-Range.`,
  },
  InvalidContentRange: {
    kind: 'rangeNotSatisfiable',
    say: (f: { range: string; sizeBytes: number; nextByte: number }) =>
      `Content-Range '${f.range.slice(0, 100)}' does not continue this upload of ${f.sizeBytes} bytes: the next byte is ${f.nextByte}. Go on from there.`,
  },
  ConditionNotMet: {
    kind: 'preconditionFailed',
    say: (f: { header: string }) =>
      `The condition in '${f.header}' does not hold: the blob has changed. Read its ETag again.`,
  },
  UploadClosed: {
    kind: 'conflict',
    say: (f: { name: string }) => `Upload '${f.name}' is finished and takes no more bytes. Start a new one.`,
  },
  UploadIncomplete: {
    kind: 'conflict',
    say: (f: { name: string; receivedBytes: number; sizeBytes: number }) =>
      `Upload '${f.name}' has ${f.receivedBytes} of its ${f.sizeBytes} bytes. Send the rest, then finish it again.`,
  },
  UploadNotVhd: {
    kind: 'invalid',
    code: 'InvalidVhd',
    say: (f: { name: string }) =>
      `Upload '${f.name}' does not end with a VHD footer: either it was not written completely or it is not a VHD. Upload the whole VHD file.`,
  },
  UploadSizeInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { sizeBytes: number; limitBytes: number }) =>
      `The size ${f.sizeBytes} is not valid: an upload has a multiple of 512 bytes, up to ${f.limitBytes}. Round it up or raise the limit.`,
  },
  UploadOpen: {
    kind: 'conflict',
    say: (f: { name: string }) =>
      `Push '${f.name}' is not finished yet. Let the client finish it, then use its address.`,
  },
  SourceFileNotFound: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { uri: string }) => `The blob referenced by source uri ${f.uri} does not exist.`,
  },
  SourceUriNotSupported: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { host: string }) =>
      `The source uri points to '${f.host}'. Fetching bytes from other hosts is not supported: upload the file to this server's /blob area first and give that address.`,
  },
  SourceUriInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { reason: string }) => `The source uri is not valid: ${f.reason}`,
  },
  FramesMissing: {
    kind: 'conflict',
    say: (f: { count: number }) =>
      `${f.count} frames of the disk are not here. Ask again which are missing and send them.`,
  },
  CopySourceNotSupported: {
    kind: 'invalid',
    code: 'CannotVerifyCopySource',
    say: () =>
      'Blobs are copied from addresses of this server only: another blob, or a disk that beginGetAccess gave an address for. Send the bytes in the request body.',
  },
  UnsupportedOperation: {
    kind: 'methodNotAllowed',
    code: 'UnsupportedHttpVerb',
    say: (f: { operation: string }) => `The operation '${f.operation}' is not supported by this upload area.`,
  },
  StorageFull: {
    kind: 'storageFull',
    code: 'InsufficientStorage',
    say: (f: { neededBytes: number; freeBytes: number }) =>
      `The upload area has ${formatBytes(f.freeBytes)} free and ${formatBytes(f.neededBytes)} are needed. Free space on the server's data disk (delete uploads that are no longer used), then send it again.`,
  },
})
