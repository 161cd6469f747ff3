import assert from 'node:assert/strict'
import { seededBytes } from '../support/disks.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { fixedVhd } from '../wire/vhd.ts'

const MiB = 1024 * 1024

async function put(server: RunningGoldleaf, account: string, name: string, bytes: Uint8Array): Promise<string> {
  const uri = `${server.env.endpoint}/blob/${account}/walk/${name}`
  const answer = await fetch(uri, {
    method: 'PUT',
    headers: { authorization: `Bearer ${server.token}`, 'x-ms-blob-type': 'BlockBlob' },
    body: Buffer.from(bytes),
  })
  assert.equal(answer.status, 201, await answer.text())
  return uri
}

/** A small fixed VHD of seeded bytes in the upload area; answers its address. */
export function uploadVhd(server: RunningGoldleaf, account: string, name: string): Promise<string> {
  return put(server, account, name, fixedVhd(Buffer.concat([seededBytes(245)(MiB), Buffer.alloc(3 * MiB)])))
}

/** Some bytes that stand for an application's package. */
export function uploadPackage(server: RunningGoldleaf, account: string, name: string): Promise<string> {
  return put(server, account, name, seededBytes(246)(100_000))
}
