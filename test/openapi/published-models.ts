import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { readBicepTypes } from './bicep-model.ts'
import type { PublishedModel } from './json-schema.ts'
import { readSwaggers } from './swagger-model.ts'

const spec = join(import.meta.dirname, '../../../shared/api/spec')
const swaggers = join(spec, 'azure-rest-api-specs/specification/compute/resource-manager/Microsoft.Compute')

/** Azure's published models, swagger first; undefined where `../shared` is absent (a clone on its own). */
export function readPublishedModels(): readonly PublishedModel[] | undefined {
  if (!existsSync(swaggers)) return undefined
  return [
    readSwaggers(globSync(`${swaggers}/{GalleryRP,DiskRP,ComputeRP,Skus}/stable/*/*.json`).toSorted()),
    readBicepTypes(globSync(`${spec}/bicep-types-az/*/types.json`).toSorted()),
  ]
}
