import { defineProblems, type Problem } from '../base/problem.ts'
import type { NameRule } from './resource-type.ts'

const entityRule = String.raw`^[^_\W][\w-._]{0,79}(?<![-.])$`
const entityPattern = /^[^_\W][\w\-._]{0,79}(?<![-.])$/
/** What a gallery holds ends with a letter or digit (behaviour.md B1), although the published expression allows `_`. */
const artifactPattern = /^[A-Za-z0-9](?:[\w\-.]{0,78}[A-Za-z0-9])?$/
/** Of scripts, as published; the pattern beside it accepts the same without trying twice. */
const scriptRule = '^[a-zA-Z0-9]+([_]?[a-zA-Z0-9]+)*$'
const scriptPattern = /^[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*$/
/** No dash, although the published expression allows one (behaviour.md B1). */
const galleryPattern = /^[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?$/
const versionPattern = /^(\d+)\.(\d+)\.(\d+)$/
const largestInt = 2_147_483_647

const nameProblems = defineProblems({
  GalleryName: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      'Gallery name is invalid. Allowed characters are English alphanumeric characters, with underscores and periods ' +
      'allowed in the middle, up to 80 characters total. All other special characters, including dashes, are disallowed.',
  },
  EntityName: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string }) =>
      `The entity name '${f.parameter}' is invalid according to its validation rule: ${entityRule}.`,
  },
  ApplicationVersionName: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { kind: string }) =>
      `The gallery ${f.kind} version name is invalid. The ${f.kind} version name should follow Major(int32). ` +
      'Minor(int32). Patch(int32) format, where int is between 0 and 2,147,483,647 (inclusive). For e.g: 1.0.0, 2018.12.1 etc.',
  },
  ScriptName: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      `The entity name 'galleryScriptName' is invalid according to its validation rule: ${scriptRule}. Use letters and ` +
      'digits, with single underscores between them.',
  },
  ImageVersionName: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () =>
      'The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) ' +
      'format, for e.g: 1.0.0, 2018.12.1 etc.',
  },
  AccountNameInvalid: {
    kind: 'invalid',
    say: (f: { name: string }) =>
      `${f.name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in ` +
      'length and use numbers and lower-case letters only.',
  },
  TrailingCharacters: {
    kind: 'invalid',
    code: 'InvalidResourceName',
    say: (f: { name: string; character: string }) =>
      `The provided resource name ${f.name} has these invalid trailing characters: ${f.character}. ` +
      `The name can not end with characters: ${f.character}`,
  },
  GroupName: {
    kind: 'invalid',
    code: 'InvalidResourceGroup',
    say: (f: { name: string; characters: string }) =>
      `The provided resource group name '${f.name}' has these invalid characters: '${f.characters}'. ` +
      `The name can only be a letter, digit, '-', '.', '(', ')' or '_'.`,
  },
  GroupNameEnd: {
    kind: 'invalid',
    code: 'InvalidResourceGroup',
    say: (f: { name: string }) =>
      `The provided resource group name '${f.name}' has these invalid trailing characters: '.'. ` +
      `The name can not end with characters: '.'.`,
  },
  GroupNameLength: {
    kind: 'invalid',
    code: 'InvalidResourceGroup',
    say: (f: { length: number }) =>
      `The provided resource group name has ${f.length} characters. It must have between 1 and 90.`,
  },
})

/** ARM's own check, before the provider sees the name. */
function trailingProblem(name: string, path: string): Problem | undefined {
  const character = name.at(-1)
  if (character !== '.' && character !== ' ') return undefined
  return nameProblems.TrailingCharacters({ name: path, character })
}

const entityNameRule = (parameter: string, pattern = entityPattern): NameRule => ({
  check(name, path = name) {
    const trailing = trailingProblem(name, path)
    if (trailing !== undefined || pattern.test(name)) return trailing
    return nameProblems.EntityName({ parameter }, { target: parameter })
  },
})

/** 1-80 letters, digits, `_` and `.` inside. Unique per subscription: that is the gallery room's to check. */
export const galleryNameRule: NameRule = {
  check(name, path = name) {
    const trailing = trailingProblem(name, path)
    if (trailing !== undefined || galleryPattern.test(name)) return trailing
    return nameProblems.GalleryName({}, { target: 'galleryName' })
  },
}

export const galleryImageNameRule = entityNameRule('galleryImageName', artifactPattern)
export const galleryApplicationNameRule = entityNameRule('galleryApplicationName', artifactPattern)
export const accessProfileNameRule = entityNameRule('inVMAccessControlProfileName')
export const galleryScriptNameRule: NameRule = {
  check(name, path = name) {
    const trailing = trailingProblem(name, path)
    if (trailing !== undefined || (name.length <= 80 && scriptPattern.test(name))) return trailing
    return nameProblems.ScriptName({}, { target: 'galleryScriptName' })
  },
}
export const diskNameRule = entityNameRule('diskName')
export const managedImageNameRule = entityNameRule('imageName')
export const diskEncryptionSetNameRule = entityNameRule('diskEncryptionSetName')
export const snapshotNameRule = entityNameRule('snapshotName')
export const userAssignedIdentityNameRule = entityNameRule('resourceName')
export const virtualMachineNameRule = entityNameRule('vmName')

/** Exactly Major.Minor.Patch, each a non-negative 32-bit integer. `latest` is not a version. */
export const galleryImageVersionNameRule: NameRule = {
  check: (name) =>
    findVersionNumbers(name) === undefined
      ? nameProblems.ImageVersionName({}, { target: 'galleryImageVersionName' })
      : undefined,
}

/** The same of what is no image; `kind`: application, script … */
const artifactVersionNameRule = (kind: string, target: string): NameRule => ({
  check: (name) =>
    findVersionNumbers(name) === undefined ? nameProblems.ApplicationVersionName({ kind }, { target }) : undefined,
})
export const applicationVersionNameRule = artifactVersionNameRule('application', 'galleryApplicationVersionName')
export const scriptVersionNameRule = artifactVersionNameRule('script', 'galleryScriptVersionName')
export const accessProfileVersionNameRule = artifactVersionNameRule(
  'inVMAccessControlProfile',
  'inVMAccessControlProfileVersionName',
)

/** 3-24 digits and lower-case letters; unique over all subscriptions, which the storage room checks. */
export const storageAccountNameRule: NameRule = {
  check: (name) =>
    /^[a-z0-9]{3,24}$/.test(name) ? undefined : nameProblems.AccountNameInvalid({ name }, { target: 'accountName' }),
}

/** 1-90 letters (of any script), digits, `-`, `.`, `(`, `)`, `_`; no period at the end. */
export const resourceGroupNameRule: NameRule = {
  check(name) {
    if (name.length === 0 || name.length > 90) return nameProblems.GroupNameLength({ length: name.length })
    const bad = [...new Set(name.replaceAll(/[\p{L}\p{Nd}\-._()]/gu, ''))]
    if (bad.length > 0) return nameProblems.GroupName({ name, characters: bad.join(',') })
    return name.endsWith('.') ? nameProblems.GroupNameEnd({ name }) : undefined
  },
}

export type VersionNumbers = readonly [major: number, minor: number, patch: number]

/** The three numbers of a version's name; undefined if it is not one. */
function findVersionNumbers(name: string): VersionNumbers | undefined {
  const match = versionPattern.exec(name)
  if (match === null) return undefined
  const [major, minor, patch] = match.slice(1).map(Number)
  if (major === undefined || minor === undefined || patch === undefined) return undefined
  return Math.max(major, minor, patch) > largestInt ? undefined : [major, minor, patch]
}

/** By number, not by text: 1.0.12 is behind 1.0.9. Names that are no versions come first, by text. */
export function compareVersionNames(a: string, b: string): number {
  const [left, right] = [findVersionNumbers(a), findVersionNumbers(b)]
  if (left === undefined || right === undefined) {
    if (left !== undefined) return 1
    if (right !== undefined) return -1
    return a < b ? -1 : Number(a > b)
  }
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
}
