import type { ProblemRecord } from '../base/problem.ts'
import type { ImageFile } from './disk-store.ts'
import type { CodecNumber } from './frame-codec.ts'

/**
 * Frames of one batch, 2 MiB: large enough that a message costs nothing, small enough that all that are in flight stay far
 * below 64 MiB.
 */
export const mostBatchFrames = 32

/** What the main thread asks of a frame worker. Bytes travel by transfer, never by copy, where they are large. */
export type FrameJob =
  /** Opens an image under a key; answers nothing. */
  | { readonly kind: 'openImage'; readonly key: number; readonly image: ImageFile }
  | { readonly kind: 'closeImage'; readonly key: number }
  /** Reads frames of an image and names them; the worker keeps their bytes under `batch` until encode or drop. */
  | { readonly kind: 'scan'; readonly key: number; readonly batch: number; readonly runs: readonly FrameRun[] }
  | { readonly kind: 'encode'; readonly batch: number; readonly picks: readonly number[]; readonly form: FrameForm }
  | { readonly kind: 'drop'; readonly batch: number }
  /** Checks encoded frames against their names and encodes them for this store. */
  | { readonly kind: 'admit'; readonly frames: EncodedBatch; readonly form: FrameForm }
  /**
   * Reads frames from packs, decodes and checks them. `into` (64 KiB for each) is shared memory: what is good is there
   * when the job has ended, what is not good is left alone. Undefined: only checks. `key`: they rest encrypted with it.
   */
  | {
      readonly kind: 'fetch'
      readonly frames: readonly FrameAddress[]
      readonly into: SharedArrayBuffer | undefined
      readonly key: Uint8Array | undefined
    }
  | { readonly kind: 'checkpoint'; readonly path: string }

/** How frames rest in a store. */
export interface FrameForm {
  readonly codec: CodecNumber
  /** They are encrypted with it, whatever their codec; undefined: they rest as they are. */
  readonly key: Uint8Array | undefined
}

export interface FrameRun {
  /** Number of the first frame. */
  readonly first: number
  readonly count: number
}

/** Encoded frames one behind the other in `payload`. */
export interface EncodedBatch {
  /** n x 32 bytes. */
  readonly names: Uint8Array
  readonly codecs: readonly CodecNumber[]
  readonly lengths: readonly number[]
  readonly crcs: readonly number[]
  readonly payload: Uint8Array
}

export interface FrameAddress {
  readonly path: string
  readonly offset: number
  readonly length: number
  readonly codec: CodecNumber
  readonly name: Uint8Array
}

export interface ScanResult {
  /** n x 32 bytes; 32 zero bytes for a frame of zeros. */
  readonly names: Uint8Array
}

export interface AdmitResult {
  readonly admitted: EncodedBatch
  /** Indexes of frames that do not match their name. */
  readonly bad: readonly number[]
}

export interface FetchResult {
  /** For each frame: 0 good, 1 gone (no file, or it is short), 2 not what its name says, 3 the disk failed. */
  readonly states: Uint8Array
}

/** The result of each kind of job. */
export interface JobResults {
  openImage: undefined
  closeImage: undefined
  scan: ScanResult
  encode: EncodedBatch
  drop: undefined
  admit: AdmitResult
  fetch: FetchResult
  checkpoint: undefined
}

export interface JobRequest {
  readonly id: number
  readonly job: FrameJob
}

/** Errors do not keep their class across threads; problems keep their record. */
export interface JobFailure {
  readonly problem: ProblemRecord | undefined
  readonly name: string
  readonly message: string
  readonly code: string | undefined
}

export type JobReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: JobFailure }
