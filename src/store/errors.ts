/**
 * Named signals of the store: caught by class inside the server, never sent to a client as they are. What a client can
 * act on is a Problem (problems.ts).
 */

/** No copy in this store holds the frame. */
export class FrameMissing extends Error {
  /** Hex BLAKE3 of the frame. */
  readonly frame: string
  constructor(frame: string, options?: ErrorOptions) {
    super(`frame ${frame} is not in this store`, options)
    this.name = 'FrameMissing'
    this.frame = frame
  }
}

/** What rests or arrived under the frame's name does not hash to it, and no other copy could give it. */
export class FrameCorrupt extends Error {
  readonly frame: string
  constructor(frame: string, options?: ErrorOptions) {
    super(`frame ${frame} does not match its name`, options)
    this.name = 'FrameCorrupt'
    this.frame = frame
  }
}

/** A disk cannot be assembled: these frames are not here. */
export class FramesMissing extends Error {
  /** Names, 32 bytes each; the first 1024 of them. */
  readonly frames: readonly Uint8Array[]
  constructor(frames: readonly Uint8Array[]) {
    super(`${frames.length} frame(s) of the disk are not in this store`)
    this.name = 'FramesMissing'
    this.frames = frames
  }
}

/** No manifest of that root is in this store. */
export class DiskMissing extends Error {
  readonly root: string
  constructor(root: string, options?: ErrorOptions) {
    super(`disk ${root} is not in this store`, options)
    this.name = 'DiskMissing'
    this.root = root
  }
}

/** A manifest is damaged: its pages or table do not hash to its root. */
export class ManifestCorrupt extends Error {
  readonly root: string
  constructor(root: string, reason: string) {
    super(`manifest of disk ${root} is damaged: ${reason}`)
    this.name = 'ManifestCorrupt'
    this.root = root
  }
}
