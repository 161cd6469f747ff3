import assert from 'node:assert/strict'
import type { RunningGoldleaf } from './goldleaf.ts'

/** Puts bytes into the upload area in one PUT; `path`: `account/container/name`. Answers the blob's address. */
export async function uploadBlob(
  server: Pick<RunningGoldleaf, 'env' | 'token'>,
  path: string,
  body: Uint8Array | Blob,
  endpoint = server.env.httpEndpoint,
): Promise<string> {
  const uri = `${endpoint}/blob/${path}`
  const answer = await fetch(uri, {
    method: 'PUT',
    headers: { authorization: `Bearer ${server.token}`, 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2024-11-04' },
    body: body instanceof Blob ? body : Buffer.from(body),
  })
  assert.equal(answer.status, 201, await answer.text())
  return uri
}
