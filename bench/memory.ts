// Publishes one image in a process of its own and prints the peak of the process's memory as JSON.
import { join } from 'node:path'
import { createDiskStores } from '../src/store/disk-stores.ts'

const [path = '', folder = ''] = process.argv.slice(2)
const startMs = performance.now()
{
  const home = {
    name: 'home',
    displayName: 'Home',
    zones: [],
    pairedRegion: undefined,
    geographyGroup: 'Bench',
    zoneFolders: [],
  }
  await using stores = await createDiskStores({ regions: [{ ...home, stampFolders: [join(folder, 'home')] }] })
  const stored = await stores.store('home', 'Standard_LRS').ingest({ path, format: 'raw' })
  stored.pin[Symbol.dispose]()
}
const ingestSeconds = (performance.now() - startMs) / 1000
// maxRSS is in KiB on Linux.
process.stdout.write(JSON.stringify({ peakMiB: process.resourceUsage().maxRSS / 1024, ingestSeconds }))
