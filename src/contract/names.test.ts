import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compareVersionNames,
  diskNameRule,
  galleryImageNameRule,
  galleryImageVersionNameRule,
  galleryNameRule,
  resourceGroupNameRule,
} from './names.ts'

const rules = {
  gallery: galleryNameRule,
  definition: galleryImageNameRule,
  version: galleryImageVersionNameRule,
  disk: diskNameRule,
  group: resourceGroupNameRule,
}

const good: Record<keyof typeof rules, readonly string[]> = {
  gallery: ['g', 'my_gallery', 'my.gallery.2', 'A'.repeat(80)],
  definition: ['ubuntu-24.04_lts', 'i', 'a'.repeat(80)],
  version: ['0.0.0', '1.0.12', '2018.12.1', '2147483647.2147483647.2147483647'],
  disk: ['disk-1', 'd', 'ends_'],
  group: ['rg', 'rg-1_(x).y', 'gruppe-ä', 'r'.repeat(90), 'ends-'],
}
for (const [kind, names] of Object.entries(good))
  for (const name of names)
    test(`name of ${kind}: ${name.slice(0, 40)} is good`, () =>
      assert.equal(rules[kind as keyof typeof rules].check(name), undefined))

const bad: readonly { rule: keyof typeof rules; name: string; code: string; says: RegExp; target?: string }[] = [
  {
    rule: 'gallery',
    name: 'my-gallery',
    code: 'InvalidParameter',
    says: /including dashes, are disallowed\.$/,
    target: 'galleryName',
  },
  { rule: 'gallery', name: '_g', code: 'InvalidParameter', says: /^Gallery name is invalid/, target: 'galleryName' },
  { rule: 'gallery', name: 'g_', code: 'InvalidParameter', says: /^Gallery name is invalid/, target: 'galleryName' },
  { rule: 'gallery', name: 'galérie', code: 'InvalidParameter', says: /English alphanumeric/, target: 'galleryName' },
  { rule: 'gallery', name: 'a'.repeat(81), code: 'InvalidParameter', says: /up to 80/, target: 'galleryName' },
  {
    rule: 'gallery',
    name: 'g.',
    code: 'InvalidResourceName',
    says: /^The provided resource name p\/g\. has these invalid trailing characters: \.\. The name can not end with characters: \.$/,
  },
  {
    rule: 'definition',
    name: '-i',
    code: 'InvalidParameter',
    says: /^The entity name 'galleryImageName' is invalid according to its validation rule: \^\[\^_\\W\]\[\\w-\._\]\{0,79\}\(\?<!\[-\.\]\)\$\.$/,
    target: 'galleryImageName',
  },
  { rule: 'definition', name: 'i-', code: 'InvalidParameter', says: /galleryImageName/, target: 'galleryImageName' },
  { rule: 'definition', name: 'i_', code: 'InvalidParameter', says: /galleryImageName/, target: 'galleryImageName' },
  { rule: 'definition', name: 'a b', code: 'InvalidParameter', says: /galleryImageName/, target: 'galleryImageName' },
  { rule: 'definition', name: 'a/b', code: 'InvalidParameter', says: /galleryImageName/, target: 'galleryImageName' },
  { rule: 'definition', name: 'i.', code: 'InvalidResourceName', says: /trailing/ },
  ...[
    '1.0',
    '1.0.0.0',
    '1.0.x',
    'latest',
    '-1.0.0',
    '1.0.2147483648',
    '1.0.0 ',
    ' 1.0.0',
    '1..0',
    '',
    '1.0.0\n',
    '1e3.0.0',
    '١.٠.٠',
  ].map((name) => ({
    rule: 'version' as const,
    name,
    code: 'InvalidParameter',
    says: /^The image version name is invalid\. The image version name should follow Major\(int\)\.Minor\(int\)\.Patch\(int\) format, for e\.g: 1\.0\.0, 2018\.12\.1 etc\.$/,
    target: 'galleryImageVersionName',
  })),
  { rule: 'disk', name: 'https:', code: 'InvalidParameter', says: /'diskName'/, target: 'diskName' },
  { rule: 'group', name: 'a+b c', code: 'InvalidResourceGroup', says: /these invalid characters: '\+, '/ },
  { rule: 'group', name: 'rg.', code: 'InvalidResourceGroup', says: /can not end with characters: '\.'/ },
  { rule: 'group', name: 'r'.repeat(91), code: 'InvalidResourceGroup', says: /91 characters/ },
  { rule: 'group', name: '', code: 'InvalidResourceGroup', says: /between 1 and 90/ },
]
for (const { rule, name, code, says, target } of bad)
  test(`name of ${rule}: ${JSON.stringify(name.slice(0, 40))} is refused`, () => {
    const problem = rules[rule].check(name, rule === 'gallery' ? `p/${name}` : name)
    assert.equal(problem?.code, code)
    assert.match(problem.message, says)
    assert.equal(problem.target, target)
    assert.equal(problem.kind, 'invalid')
  })

test('versions are compared by number', () => {
  const names = ['10.0.0', '2.0.0', 'x', '1.0.12', '1.0.9', '1.10.0', '1.9.0', 'a']
  assert.deepEqual(names.toSorted(compareVersionNames), [
    'a',
    'x',
    '1.0.9',
    '1.0.12',
    '1.9.0',
    '1.10.0',
    '2.0.0',
    '10.0.0',
  ])
})
