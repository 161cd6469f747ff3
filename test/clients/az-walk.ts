import type { RunningGoldleaf } from '../support/goldleaf.ts'
import type { Az, AzDocument, AzInstallation } from './az.ts'
import type { Step } from './client-report.ts'

/** What the walks of az share: the client, and what a test may ask the server for besides. */
export interface AzWalk {
  readonly az: () => Az
  readonly server: () => RunningGoldleaf
  readonly installation: AzInstallation
  readonly step: Step
  /** Whether this az has the option (or the command at all): what the newer has alone is walked there alone. */
  readonly takes: (command: string, option: string) => boolean
  /** A fixed VHD in the server's upload area, by the name under which az's cloud knows it. */
  readonly vhdUri: () => Promise<string>
  /** A package in the upload area. */
  readonly packageUri: () => Promise<string>
}

export const words = (line: string): string[] => line.trim().split(/\s+/)
export const namesOf = (list: AzDocument): string[] => list.map((one: AzDocument) => one.name)
