import { suite, test } from 'node:test'
import { galleryApiVersions } from '../../src/contract/api-versions.ts'
import { invalid, useTargets } from './refusals.ts'
import { assertRefused, definitionBody, groupVersion, vmVersion } from './wire.ts'
import type { Body, Refusal, Wire } from './wire.ts'

const galleryNameRule =
  'Gallery name is invalid. Allowed characters are English alphanumeric characters, with underscores and periods allowed in the middle, up to 80 characters total. All other special characters, including dashes, are disallowed.'
const versionNameRule =
  'The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc.'
const entityRule = (name: string): string =>
  `The entity name '${name}' is invalid according to its validation rule: ^[^_\\W][\\w-._]{0,79}(?<![-.])$.`

/** What Azure answers to bad requests (behaviour.md A1, A2), to the letter; every case proves that nothing changed. */
suite('bad requests on the wire', () => {
  let wire: Wire
  const { table, gallery, definition, versionAt, newVersion } = useTargets((made) => {
    ;({ wire } = made)
  })
  const here = { location: 'westeurope' }

  table('names', [
    ...['a-b', '_a', 'a_', 'ä', 'a'.repeat(81), 'a b', 'a$'].map(
      (name) =>
        [
          `gallery '${name.slice(0, 12)}'`,
          () => invalid(gallery(encodeURIComponent(name)), galleryNameRule, here),
        ] as const,
    ),
    [
      'a gallery that ends with a period',
      () => ({
        path: gallery('a.'),
        body: here,
        status: 400,
        code: 'InvalidResourceName',
        says: 'The provided resource name a. has these invalid trailing characters: .. The name can not end with characters: .',
      }),
    ],
    ...['-a', '_a', 'a-', 'a_', 'a'.repeat(81), 'a b'].map(
      (name) =>
        [
          `definition '${name.slice(0, 12)}'`,
          () => invalid(definition(encodeURIComponent(name)), entityRule('galleryImageName'), definitionBody('x')),
        ] as const,
    ),
    ...['1.0', '1', '1.0.0.0', 'v1.0.0', '1.0.x', 'latest', '-1.0.0', '2147483648.0.0', '1.0.', '1. 0.0'].map(
      (name) =>
        [
          `version '${name}'`,
          () => invalid(versionAt(encodeURIComponent(name)), versionNameRule, newVersion({})),
        ] as const,
    ),
    [
      'a resource group',
      () => ({
        path: `${wire.subscription}/resourceGroups/a%24b?api-version=${groupVersion}`,
        body: here,
        status: 400,
        code: 'InvalidResourceGroup',
        says: /^The provided resource group name 'a\$b' has these invalid characters: '\$'\. The name can only be/,
      }),
    ],
  ])

  test('a gallery name that another group of the subscription has, in any case', async () => {
    const other = `${wire.subscription}/resourceGroups/other`
    await wire.arm.must('PUT', `${other}?api-version=${groupVersion}`, here)
    await assertRefused(wire, {
      path: `${other}/providers/Microsoft.Compute/galleries/G?api-version=2024-03-03`,
      body: here,
      status: 409,
      code: 'Conflict',
      says: `The gallery name 'G' is not unique within the subscription '${wire.server.env.subscriptionId}'. Please pick another gallery name.`,
    })
  })

  const notFound = (path: string, code: string, says: string, method = 'GET', body?: unknown): Refusal => ({
    method,
    path,
    body,
    status: 404,
    code,
    says,
  })
  const help = 'For more details please go to https://aka.ms/ARMResourceNotFoundFix'
  table('what is not there', [
    [
      'a gallery',
      () =>
        notFound(
          gallery('absent'),
          'ResourceNotFound',
          `The Resource 'Microsoft.Compute/galleries/absent' under resource group 'wire' was not found. ${help}`,
        ),
    ],
    [
      'a version',
      () =>
        notFound(
          versionAt('9.9.9'),
          'ResourceNotFound',
          `The Resource 'Microsoft.Compute/galleries/g/images/d/versions/9.9.9' under resource group 'wire' was not found. ${help}`,
        ),
    ],
    [
      'a version to PATCH',
      () =>
        notFound(
          versionAt('9.9.9'),
          'ResourceNotFound',
          `The Resource 'Microsoft.Compute/galleries/g/images/d/versions/9.9.9' under resource group 'wire' was not found. ${help}`,
          'PATCH',
          { tags: {} },
        ),
    ],
    [
      'the gallery of a definition',
      () =>
        notFound(
          wire.at('galleries/absent/images/d'),
          'ParentResourceNotFound',
          "Can not perform requested operation on nested resource. Parent resource 'absent' not found.",
          'PUT',
          definitionBody('x'),
        ),
    ],
    [
      'the definition of a version',
      () =>
        notFound(
          wire.at('galleries/g/images/absent/versions/1.0.0'),
          'ParentResourceNotFound',
          "Can not perform requested operation on nested resource. Parent resource 'g/absent' not found.",
          'PUT',
          newVersion({}),
        ),
    ],
    [
      'the resource group',
      () =>
        notFound(
          gallery('g').replace('/resourceGroups/wire/', '/resourceGroups/absent/'),
          'ResourceGroupNotFound',
          "Resource group 'absent' could not be found.",
          'PUT',
          here,
        ),
    ],
    [
      'the subscription',
      () =>
        notFound(
          '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/x?api-version=2021-04-01',
          'SubscriptionNotFound',
          "The subscription '11111111-1111-1111-1111-111111111111' could not be found.",
        ),
    ],
    [
      'the type',
      () =>
        notFound(
          wire.at('unicorns/u'),
          'InvalidResourceType',
          "The resource type could not be found in the namespace 'Microsoft.Compute' for api version '2024-03-03'.",
        ),
    ],
    [
      'the provider',
      () =>
        notFound(
          wire.at('galleries/g').replace('Microsoft.Compute', 'Microsoft.Nothing'),
          'InvalidResourceNamespace',
          "The resource namespace 'Microsoft.Nothing' is invalid.",
        ),
    ],
  ])

  table('deletion with children', [
    [
      'a gallery',
      () => ({
        method: 'DELETE',
        path: gallery('g'),
        status: 409,
        code: 'CannotDeleteResource',
        says: "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: 'Microsoft.Compute/galleries/g/images/d'. Please delete all nested resources before deleting this resource.",
      }),
    ],
    [
      'a definition',
      () => ({
        method: 'DELETE',
        path: definition('d'),
        status: 409,
        code: 'CannotDeleteResource',
        says: "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: 'Microsoft.Compute/galleries/g/images/d/versions/1.0.0'. Please delete all nested resources before deleting this resource.",
      }),
    ],
  ])

  const generalized = (): Body => ({
    ...here,
    properties: {
      storageProfile: { imageReference: { id: wire.id('galleries/g/images/d') } },
      osProfile: { computerName: 'c', adminUsername: 'a', adminPassword: 'p' },
    },
  })
  table('machines', [
    [
      'an osProfile with a specialised image',
      () =>
        invalid(
          wire.at('virtualMachines/v', vmVersion),
          "Parameter 'osProfile' is not allowed.",
          generalized(),
          'osProfile',
        ),
    ],
    [
      'an image that is not in the region',
      () => ({
        path: wire.at('virtualMachines/v', vmVersion),
        body: {
          location: 'northeurope',
          properties: { storageProfile: { imageReference: { id: wire.id('galleries/g/images/d/versions/1.0.0') } } },
        },
        status: 404,
        code: 'GalleryImageNotFound',
        says: `"The gallery image ${wire.id('galleries/g/images/d/versions/1.0.0')} is not available in northeurope region. Please contact image owner to replicate to this region, or change your requested region."`,
        target: 'imageReference',
      }),
    ],
    [
      'no image',
      () =>
        invalid(wire.at('virtualMachines/v', vmVersion), "Required parameter 'imageReference' is missing (null).", {
          ...here,
          properties: { storageProfile: {} },
        }),
    ],
  ])

  const supported = galleryApiVersions.join(', ')
  table('the protocol', [
    [
      'an unknown api-version',
      () => ({
        path: wire.at('galleries/g/images/d/versions/1.0.0', '2022-08-01'),
        method: 'GET',
        status: 400,
        code: 'NoRegisteredProviderFound',
        says: `No registered resource provider found for location 'westeurope' and API version '2022-08-01' for type 'galleries/images/versions'. The supported api-versions are '${supported}'. The supported locations are 'westeurope, northeurope, eastus'.`,
      }),
    ],
    [
      'no api-version',
      () => ({
        path: wire.id('galleries/g'),
        method: 'GET',
        status: 400,
        code: 'MissingApiVersionParameter',
        says: 'The api-version query parameter (?api-version=) is required for all requests.',
      }),
    ],
    [
      'an api-version that ARM itself does not know',
      () => ({
        path: `${wire.group}?api-version=2018-12-01`,
        method: 'GET',
        status: 400,
        code: 'InvalidApiVersionParameter',
        says: /^The api-version '2018-12-01' is invalid\. The supported versions are '2025-04-01,/,
      }),
    ],
    ...['{', '{"location": }', 'nonsense', '[1,', '{"a":1}}'].map(
      (body) =>
        [
          `JSON '${body}'`,
          () => ({
            path: gallery('new'),
            body,
            status: 400,
            code: 'InvalidRequestContent',
            says: /^The request content was invalid and could not be deserialized: '.+'/,
          }),
        ] as const,
    ),
    ...['[]', '"text"', '7', 'null'].map(
      (body) =>
        [
          `a body that is no object: ${body}`,
          () => ({
            path: gallery('new'),
            body,
            status: 400,
            code: 'InvalidRequestContent',
            says: /Expected a JSON object/,
          }),
        ] as const,
    ),
    [
      'no body',
      () => ({
        path: gallery('new'),
        status: 400,
        code: 'InvalidRequestContent',
        says: /Expected a JSON object/,
      }),
    ],
    [
      'a __proto__ member',
      () => ({
        path: gallery('new'),
        body: '{"location":"westeurope","__proto__":{"x":1}}',
        status: 400,
        code: 'InvalidRequestContent',
        says: /__proto__/,
      }),
    ],
    [
      'nesting without end',
      () => ({
        path: gallery('new'),
        body: `${'['.repeat(500)}${']'.repeat(500)}`,
        status: 400,
        code: 'InvalidRequestContent',
        says: /nested more than 64 levels deep/,
      }),
    ],
    ...['text/plain', 'application/xml', 'application/x-www-form-urlencoded'].map(
      (type) =>
        [
          `content type ${type}`,
          () => ({
            path: gallery('new'),
            body: '{"location":"westeurope"}',
            headers: { 'content-type': type },
            status: 415,
            code: 'UnsupportedMediaType',
            says: "The content media type of the request is not supported. Only 'application/json' is supported.",
          }),
        ] as const,
    ),
    [
      'a body over the limit',
      () => ({
        path: gallery('new'),
        body: JSON.stringify({ ...here, tags: { big: 'x'.repeat(5 * 1024 * 1024) } }),
        status: 413,
        code: 'RequestContentTooLarge',
        says: /larger than 4194304 bytes.*Send a smaller body/,
      }),
    ],
    ...['POST', 'OPTIONS'].map(
      (method) =>
        [
          `a method that is not there: ${method}`,
          () => ({
            method,
            path: gallery('g'),
            status: 405,
            code: 'MethodNotAllowed',
            says: new RegExp(`^The method ${method} is not allowed at`),
          }),
        ] as const,
    ),
    [
      'an unknown $expand',
      () => ({
        ...invalid(`${versionAt('1.0.0')}&$expand=Everything`, /'Everything'.*ReplicationStatus/, undefined),
        method: 'GET',
      }),
    ],
    [
      'a slash inside a name',
      () => ({
        path: gallery('a%2Fb'),
        body: here,
        status: 400,
        code: 'InvalidResourceName',
        says: /'a\/b'/,
      }),
    ],
  ])
})
