import type { JsonObject } from '../base/json.ts'
import { GiB, MiB } from '../base/units.ts'
import type { GalleryApplicationVersionProperties } from '../contract/gallery-applications.ts'
import type { GalleryScriptVersionProperties } from '../contract/gallery-scripts.ts'
import { artifactProblems } from './artifact-problems.ts'
import type { ArtifactFile, ArtifactKind } from './artifact-versions.ts'
import { checkScriptParameters } from './script-parameters.ts'

/** Numbers of an application version's files. */
export const packageFile = 0
export const configurationFile = 1

/** Azure's limits of today (D-VMAPP, "Considerations and current limits"; its table of errors still says 1 GB of both). */
const maximumPackageBytes = 2 * GiB
const maximumConfigurationBytes = GiB
/** A script is read as a whole into a machine; nobody writes more by hand. */
const maximumScriptBytes = 16 * MiB

export const applicationVersions: ArtifactKind = {
  type: 'Microsoft.Compute/galleries/applications/versions',
  errorName: 'galleryApplicationVersion',
  workflow: 'publish-application-version',
  check({ after }) {
    const { settings } = (after.properties as GalleryApplicationVersionProperties).publishingProfile
    for (const member of ['packageFileName', 'configFileName'] as const) {
      const value = settings?.[member]
      if (value !== undefined && !isFileName(value))
        throw artifactProblems.FileNameInvalid(
          { member, value },
          { target: `galleryApplicationVersion.properties.publishingProfile.settings.${member}` },
        )
    }
  },
  files(properties: JsonObject): readonly ArtifactFile[] {
    const { source } = (properties as GalleryApplicationVersionProperties).publishingProfile
    const path = 'publishingProfile.source'
    const { mediaLink, defaultConfigurationLink } = source
    return [
      { file: packageFile, uri: mediaLink, path: `${path}.mediaLink`, maximumBytes: maximumPackageBytes },
      ...(defaultConfigurationLink === undefined
        ? []
        : [
            {
              file: configurationFile,
              uri: defaultConfigurationLink,
              path: `${path}.defaultConfigurationLink`,
              maximumBytes: maximumConfigurationBytes,
            },
          ]),
    ]
  },
}

/** It becomes a file in a guest's folder: nothing that leads elsewhere. */
function isFileName(value: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return value !== '.' && value !== '..' && !/[/\\\u0000-\u001f\u007f]/.test(value)
}

export const scriptVersions: ArtifactKind = {
  type: 'Microsoft.Compute/galleries/scripts/versions',
  errorName: 'galleryScriptVersion',
  workflow: 'publish-script-version',
  files(properties: JsonObject): readonly ArtifactFile[] {
    const { scriptLink } = (properties as GalleryScriptVersionProperties).publishingProfile.source
    const path = 'publishingProfile.source.scriptLink'
    return [{ file: packageFile, uri: scriptLink, path, maximumBytes: maximumScriptBytes }]
  },
  check({ after }) {
    const { source } = (after.properties as GalleryScriptVersionProperties).publishingProfile
    checkScriptParameters(source.parameters ?? [])
  },
}
