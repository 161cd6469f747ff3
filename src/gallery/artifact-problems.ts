import { defineProblems } from '../base/problem.ts'

/** What is wrong with applications, scripts and access profiles; Azure's texts where known (behaviour.md A2, D-VMAPP). */
export const artifactProblems = defineProblems({
  ArtifactEmpty: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { uri: string }) => `The blob referenced by source uri ${f.uri} is empty.`,
  },
  ArtifactNotEncrypted: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { what: string }) => `${f.what} resources currently do not support encryption.`,
  },
  ArtifactTooLarge: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { uri: string; sizeBytes: number; maximumBytes: number }) =>
      `The blob referenced by source uri ${f.uri} is too large: size = ${f.sizeBytes}. The maximum blob size allowed is '${sizeText(f.maximumBytes)}'.`,
  },
  ArtifactNotShallow: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: () => "replicationMode 'Shallow' is for image versions: files are always copied to their regions. Use 'Full'.",
  },
  FileNameInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { member: string; value: string }) =>
      `The value '${f.value}' of settings.${f.member} is no file name. Leave out slashes and control characters.`,
  },
  ScriptParameterInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { name: string; reason: string }) =>
      `The parameter '${f.name}' of the script is invalid: ${f.reason} Correct it, then send the request again.`,
  },
  AccessProfileUnusable: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { id: string; reason: string }) =>
      `The access control profile version '${f.id}' cannot be used: ${f.reason} Name another version, or leave it out.`,
  },
  AccessRulesInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { reason: string }) => `The access control rules are invalid: ${f.reason} Names are compared in any case.`,
  },
})

function sizeText(bytes: number): string {
  const gigabyte = 2 ** 30
  return bytes >= gigabyte ? `${bytes / gigabyte} GB` : `${bytes / 2 ** 20} MB`
}
