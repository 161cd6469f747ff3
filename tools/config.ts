import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { searchPath } from './system-packages.mjs'

/** What tools read from their surroundings; only the two .mjs files look at process.env too. */
export const toolConfig = {
  root: join(dirname(fileURLToPath(import.meta.url)), '..'),
  environment: process.env,
  path: searchPath,
  isCi: process.env['CI'] === 'true',
}
