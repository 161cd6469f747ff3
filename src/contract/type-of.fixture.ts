import assert from 'node:assert/strict'
import { findResourceType } from './resource-types.ts'

/** `disks`, or with its namespace's last word: `Compute/galleries/images`. */
export function typeOf(name: string) {
  const type = findResourceType(name.includes('/') ? `Microsoft.${name}` : `Microsoft.Compute/${name}`)
  assert.ok(type)
  return type
}
