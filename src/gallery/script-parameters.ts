import type { GalleryScriptParameter } from '../contract/gallery-scripts.ts'
import { artifactProblems } from './artifact-problems.ts'

const target = 'galleryScriptVersion.properties.publishingProfile.source.parameters'

/** A parameter's bounds, choices and default must be of its type and agree with each other; String is the default type. */
export function checkScriptParameters(parameters: readonly GalleryScriptParameter[]): void {
  for (const parameter of parameters) {
    const reason = whatIsWrong(parameter)
    if (reason !== undefined)
      throw artifactProblems.ScriptParameterInvalid({ name: parameter.name, reason }, { target })
  }
}

function whatIsWrong(parameter: GalleryScriptParameter): string | undefined {
  const { type = 'String', minValue, maxValue, enumValues, defaultValue } = parameter
  const isNumber = type === 'Int' || type === 'Double'
  if (!isNumber && (minValue !== undefined || maxValue !== undefined))
    return `minValue and maxValue are for Int and Double, not for ${type}.`
  if (type !== 'Enum' && enumValues !== undefined && enumValues.length > 0)
    return `enumValues are for Enum, not for ${type}.`
  if (type === 'Enum' && (enumValues ?? []).length === 0) return 'an Enum needs enumValues.'
  for (const [member, value] of Object.entries({ minValue, maxValue, defaultValue }))
    if (value !== undefined && !isOfType(type, value)) return `its ${member} '${value}' is no ${type}.`
  if (minValue !== undefined && maxValue !== undefined && Number(minValue) > Number(maxValue))
    return `its minValue '${minValue}' is greater than its maxValue '${maxValue}'.`
  if (defaultValue === undefined) return undefined
  if (minValue !== undefined && Number(defaultValue) < Number(minValue))
    return `its defaultValue '${defaultValue}' is less than its minValue '${minValue}'.`
  if (maxValue !== undefined && Number(defaultValue) > Number(maxValue))
    return `its defaultValue '${defaultValue}' is greater than its maxValue '${maxValue}'.`
  if (type === 'Enum' && enumValues?.includes(defaultValue) !== true)
    return `its defaultValue '${defaultValue}' is none of its enumValues.`
  return undefined
}

function isOfType(type: string, value: string): boolean {
  switch (type) {
    case 'Int':
      return /^[+-]?\d{1,15}$/.test(value)
    case 'Double':
      return value.trim() !== '' && Number.isFinite(Number(value))
    case 'Boolean':
      return /^(true|false)$/i.test(value)
    default:
      return true
  }
}
