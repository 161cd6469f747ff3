import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { osDiskLun } from './replica.rows.ts'
import { parseVersionSource } from './version-sources.ts'
import type { StorageProfile, VersionSource } from './version-sources.ts'

const rg = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute'
const version = `${rg}/galleries/g/images/i/versions/1.0.0`
const disk = (name: string): { readonly source: { readonly id: string } } => ({ source: { id: `${rg}/disks/${name}` } })
const uri = 'https://127.0.0.1:8081/blob/acct/vhds/a.vhd'

const accepted: readonly { why: string; profile: StorageProfile; source: VersionSource }[] = [
  {
    why: 'a virtual machine, by its own member',
    profile: { source: { virtualMachineId: `${rg}/virtualMachines/vm` } },
    source: { kind: 'whole', id: `${rg}/virtualMachines/vm` },
  },
  {
    why: 'a managed image',
    profile: { source: { id: `${rg}/images/i` } },
    source: { kind: 'whole', id: `${rg}/images/i` },
  },
  { why: 'another version', profile: { source: { id: version } }, source: { kind: 'version', id: version } },
  {
    why: 'a community image',
    profile: { source: { communityGalleryImageId: '/CommunityGalleries/p/Images/i' } },
    source: { kind: 'community', id: '/CommunityGalleries/p/Images/i' },
  },
  {
    why: 'a managed disk',
    profile: { osDiskImage: disk('os') },
    source: { kind: 'disks', disks: [{ lun: osDiskLun, from: { kind: 'disk', id: `${rg}/disks/os` } }] },
  },
  {
    why: 'a VHD blob, whose account is only named',
    profile: {
      osDiskImage: {
        source: {
          uri,
          storageAccountId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct',
        },
      },
    },
    source: { kind: 'disks', disks: [{ lun: osDiskLun, from: { kind: 'blob', uri } }] },
  },
  {
    why: 'a mixture: OS disk from a snapshot, data disk from a blob',
    profile: {
      osDiskImage: { source: { id: `${rg}/snapshots/s1` } },
      dataDiskImages: [{ lun: 3, source: { uri } }],
    },
    source: {
      kind: 'disks',
      disks: [
        { lun: osDiskLun, from: { kind: 'disk', id: `${rg}/snapshots/s1` } },
        { lun: 3, from: { kind: 'blob', uri } },
      ],
    },
  },
]
for (const { why, profile, source } of accepted)
  test(`version source: ${why}`, () => assert.deepEqual(parseVersionSource(profile), source))

const refused: readonly { why: string; profile: StorageProfile; code: string; says: RegExp }[] = [
  { why: 'none at all', profile: {}, code: 'InvalidParameter', says: /One and only one source type/ },
  {
    why: 'both places at once',
    profile: { source: { id: version }, osDiskImage: disk('os') },
    code: 'InvalidParameter',
    says: /either directly under storageProfile or within individual OS or data disks/,
  },
  {
    why: 'a data disk without an OS disk',
    profile: { dataDiskImages: [{ lun: 0, ...disk('d') }] },
    code: 'InvalidParameter',
    says: /One and only one source type/,
  },
  {
    why: 'a disk and a blob at once',
    profile: { osDiskImage: { source: { ...disk('os').source, uri } } },
    code: 'InvalidParameter',
    says: /One and only one source type/,
  },
  {
    why: 'a storage account that is no id',
    profile: { osDiskImage: { source: { uri, storageAccountId: 'acct' } } },
    code: 'LinkedInvalidPropertyId',
    says: /Property id 'acct' at path 'properties\.storageProfile\.osDiskImage\.source\.storageAccountId' is invalid/,
  },
  {
    why: 'an id that is none',
    profile: { source: { id: 'galleries/g/images/i' } },
    code: 'LinkedInvalidPropertyId',
    says: /Property id 'galleries\/g\/images\/i' at path .*source\.id' is invalid/,
  },
  {
    why: 'a kind that is no source of a whole version',
    profile: { source: { id: `${rg}/disks/d` } },
    code: 'InvalidParameter',
    says: /must either be a managed image, virtual machine or another gallery image version/,
  },
  {
    why: 'a kind that is no source of a disk',
    profile: { osDiskImage: { source: { id: version } } },
    code: 'InvalidParameter',
    says: /must be a managed disk or snapshot/,
  },
  {
    why: 'the same LUN twice',
    profile: {
      osDiskImage: disk('os'),
      dataDiskImages: [
        { lun: 1, ...disk('a') },
        { lun: 1, ...disk('b') },
      ],
    },
    code: 'InvalidParameter',
    says: /Duplicated lun numbers/,
  },
  {
    why: 'the same source twice, in another case',
    profile: { osDiskImage: disk('one'), dataDiskImages: [{ lun: 1, ...disk('ONE') }] },
    code: 'InvalidParameter',
    says: /Duplicated source ids/,
  },
]
for (const { why, profile, code, says } of refused)
  test(`version source is refused: ${why}`, () => {
    assert.throws(
      () => parseVersionSource(profile),
      (error) => error instanceof Problem && error.code === code && says.test(error.message),
    )
  })
