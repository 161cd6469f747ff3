import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readBicepTypes } from './bicep-model.ts'
import type { PublishedModel } from './json-schema.ts'
import { readSwaggers } from './swagger-model.ts'

const spec = join(import.meta.dirname, '../../../shared/api/spec')
const swaggers = join(spec, 'azure-rest-api-specs/specification/compute/resource-manager/Microsoft.Compute')

export interface PublishedExample {
  readonly parameters: Readonly<Record<string, string>>
  readonly responses: Readonly<Record<string, { readonly body: unknown }>>
}

/** The published examples of a provider's part (`Skus`), by file name. */
export function readExamples(part: string): ReadonlyMap<string, PublishedExample> {
  const files = globSync(`${swaggers}/${part}/stable/*/examples/**/*.json`)
  return new Map(
    files.map((file) => [basename(file, '.json'), JSON.parse(readFileSync(file, 'utf8')) as PublishedExample]),
  )
}

/** Azure's published models, swagger first; undefined where `../shared` is absent (a clone on its own). */
export function readPublishedModels(): readonly PublishedModel[] | undefined {
  if (!existsSync(swaggers)) return undefined
  return [
    readSwaggers(globSync(`${swaggers}/{GalleryRP,DiskRP,ComputeRP,Skus}/stable/*/*.json`).toSorted()),
    readBicepTypes(globSync(`${spec}/bicep-types-az/*/types.json`).toSorted()),
  ]
}
