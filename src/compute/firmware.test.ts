import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseFirmware, firmwareProbeBytes } from './firmware.ts'

function disk(facts: { code?: boolean; types?: readonly number[]; gptType?: string }): Uint8Array {
  const start = Buffer.alloc(firmwareProbeBytes)
  start.writeUInt16LE(0xaa55, 510)
  if (facts.code) start.fill(0x90, 0, 400)
  for (const [entry, type] of (facts.types ?? []).entries()) start[446 + 16 * entry + 4] = type
  if (facts.gptType) Buffer.from(facts.gptType, 'hex').copy(start, 1024 + 128)
  return start
}

const esp = '28732ac11ff8d211ba4b00a0c93ec93b'
const cases = [
  { why: 'V1 is BIOS whatever the disk has', generation: 'V1', start: disk({ types: [0xef] }), firmware: 'bios' },
  { why: 'no generation is V1', generation: undefined, start: disk({}), firmware: 'bios' },
  {
    why: 'V2 with an EFI partition in the MBR',
    generation: 'V2',
    start: disk({ code: true, types: [0xef] }),
    firmware: 'uefi',
  },
  {
    why: 'V2 with an EFI partition in the GPT, boot code or not',
    generation: 'V2',
    start: disk({ code: true, types: [0xee], gptType: esp }),
    firmware: 'uefi',
  },
  {
    why: 'V2 by definition, BIOS by disk',
    generation: 'V2',
    start: disk({ code: true, types: [0x0e] }),
    firmware: 'bios',
  },
  {
    why: 'a GPT without EFI partition and with boot code',
    generation: 'V2',
    start: disk({ code: true, types: [0xee] }),
    firmware: 'bios',
  },
  { why: 'nothing that BIOS could start either', generation: 'V2', start: disk({}), firmware: 'uefi' },
  { why: 'an empty disk', generation: 'V2', start: new Uint8Array(firmwareProbeBytes), firmware: 'uefi' },
  { why: 'a disk of one sector', generation: 'V2', start: disk({ code: true }).subarray(0, 512), firmware: 'bios' },
]
for (const { why, generation, start, firmware } of cases)
  test(`firmware: ${why}`, () => {
    const choice = chooseFirmware(generation, start)
    assert.equal(choice.firmware, firmware)
    assert.equal(choice.isOverruled, generation === 'V2' && firmware === 'bios')
  })
