import { defineProblems } from '../base/problem.ts'

interface Path {
  readonly path: string
}

/** What the contract itself refuses. Texts and codes: behaviour.md A1, A2. */
export const contractProblems = defineProblems({
  ContentNotObject: {
    kind: 'invalid',
    code: 'InvalidRequestContent',
    say: (f: { found: string }) =>
      'The request content was invalid and could not be deserialized: ' +
      `'Expected a JSON object as the body, but found ${f.found}.'`,
  },
  TagsInvalid: {
    kind: 'invalid',
    code: 'InvalidRequestContent',
    say: (f: { found: string }) =>
      'The request content was invalid and could not be deserialized: ' +
      `'Expected 'tags' to be an object of strings, but found ${f.found}.'`,
  },
  TagsTooMany: {
    kind: 'invalid',
    code: 'InvalidRequestContent',
    say: (f: { reason: string }) =>
      `The tags of the request are too many or too long: ${f.reason}. A resource has at most 50 tags, with names of at ` +
      'most 512 and values of at most 256 characters.',
  },
  TagTwice: {
    kind: 'invalid',
    code: 'InvalidRequestContent',
    say: (f: { name: string }) =>
      'The request content was invalid and could not be deserialized: ' +
      `'The tag '${f.name}' is there more than once: names of tags are the same in any case.'`,
  },
  InvalidTagNameCharacters: {
    kind: 'invalid',
    say: (f: { names: readonly string[] }) =>
      `The tag names '${f.names.join(',')}' have reserved characters '<,>,%,&,\\,?,/' or control characters.`,
  },
  LocationRequired: {
    kind: 'invalid',
    say: () => 'The location property is required for this definition.',
  },
  LocationNotAvailableForResourceType: {
    kind: 'invalid',
    say: (f: { location: string; type: string; available: readonly string[] }) =>
      `The provided location '${f.location}' is not available for resource type '${f.type}'. ` +
      `List of available regions for the resource type is '${f.available.join(',')}'.`,
  },
  LocationNotAvailableForResourceGroup: {
    kind: 'invalid',
    say: (f: { location: string; available: readonly string[] }) =>
      `The provided location '${f.location}' is not available for resource group. ` +
      `List of available regions is '${f.available.join(',')}'.`,
  },
  InvalidResourceLocation: {
    kind: 'conflict',
    say: (f: { name: string; from: string; to: string; group: string }) =>
      `The resource '${f.name}' already exists in location '${f.from}' in resource group '${f.group}'. ` +
      `A resource with the same name cannot be created in location '${f.to}'. Please select a new resource name.`,
  },
  InvalidResourceGroupLocation: {
    kind: 'conflict',
    say: (f: { from: string; to: string }) =>
      `Invalid resource group location '${f.to}'. The Resource group already exists in location '${f.from}'.`,
  },
  PropertyChangeNotAllowed: {
    kind: 'conflict',
    say: (f: Path) => `Changing property '${f.path}' is not allowed.`,
  },
  FixedElements: { kind: 'invalid', code: 'InvalidParameter', say: (f: { text: string }) => f.text },
  MissingParameter: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path) => `Required parameter '${f.path}' is missing (null).`,
  },
  ValueNotAllowed: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path & { value: string; allowed: readonly string[] }) =>
      `The value '${f.value}' of parameter '${f.path}' is not one of the allowed values '${f.allowed.join(', ')}'.`,
  },
  OutOfRange: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path & { value: number; min: number; max: number }) =>
      `The value ${f.value} of parameter ${f.path} is out of range. ` +
      `The value must be between ${f.min} and ${f.max}, inclusive.`,
  },
  /** Also a wrong JSON type; `path` is here as the body has it, with indexes: `properties.features[0].name`. */
  NotConvertible: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path & { value: string; to: string }) =>
      `Could not convert string to ${f.to}: ${f.value}. Path '${f.path}'`,
  },
  WrongType: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path & { found: string; expected: string }) =>
      `Could not convert ${f.found} to ${f.expected}. Path '${f.path}'`,
  },
  MinGreaterThanMax: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path) => `The minimum value of ${f.path} must not be greater than the maximum value of ${f.path}.`,
  },
  ValueInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: Path) => `The value of parameter ${f.path} is invalid.`,
  },
  Complaint: { kind: 'invalid', code: 'InvalidParameter', say: (f: { text: string }) => f.text },
})
