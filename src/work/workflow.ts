import type { Json, JsonObject, ProblemRecord } from '../base/problem.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'

/** What an operation does to its resource; `action` leaves the resource's state alone. */
export type Intent = 'create' | 'update' | 'delete' | 'action'
export type OperationState = 'InProgress' | 'Succeeded' | 'Failed' | 'Canceled'

/** A durable run of a workflow, as stored. */
export interface Operation {
  readonly id: string
  readonly workflow: string
  readonly resourceKey: string
  readonly intent: Intent
  readonly subscriptionId: string
  readonly location: string
  readonly createdBy: string
  readonly state: OperationState
  readonly step: number
  readonly attempt: number
  readonly input: JsonObject
  /** What each finished step returned, by step name. */
  readonly outputs: JsonObject
  readonly progress: JsonObject
  readonly error: ProblemRecord | undefined
  readonly result: Json | undefined
  readonly createdMs: number
  readonly endedMs: number | undefined
}

export interface StepContext<Input> {
  readonly operationId: string
  readonly resourceKey: string
  readonly input: Input
  /** Results of earlier steps by name; they survive a crash. */
  readonly outputs: Readonly<Record<string, Json | undefined>>
  /** 1 for the first try of this step. */
  readonly attempt: number
  /** Aborted on cancellation, on a lost lease and on shutdown: pass it to everything that waits. */
  readonly signal: AbortSignal
  /** Stores progress for people; cheap to call often (the engine throttles). */
  readonly report: (progress: JsonObject) => void
}

/** A step may run twice or stop anywhere; what it returns is stored before the next step begins. */
export interface Step<Input> {
  readonly name: string
  run(context: StepContext<Input>): Promise<Json | void>
}

export interface Workflow<Input extends JsonObject = JsonObject> {
  readonly name: string
  readonly steps: readonly Step<Input>[]
  /**
   * Written in the same transaction that ends the operation: settles the domain's own rows. Must not wait for anything
   * but the transaction.
   */
  settle?(tx: Tx, operation: Operation, outcome: Outcome): Promise<void>
}

export type Outcome =
  | { readonly state: 'Succeeded'; readonly result?: Json | undefined }
  | { readonly state: 'Failed' | 'Canceled'; readonly error: ProblemRecord }

export interface StartOperation extends Pick<
  Operation,
  'workflow' | 'resourceKey' | 'intent' | 'subscriptionId' | 'location' | 'createdBy' | 'input'
> {
  /** Default: a fresh uuid. ARM wants it equal to `x-ms-request-id`. */
  readonly id?: string | undefined
}

/** The small interface behind which durable work stands (docs/adr/0002). */
export interface Work {
  /** Stores the operation with the caller's transaction: it exists exactly if the resource's change does. */
  start(tx: Tx, request: StartOperation): Promise<Operation>
  /**
   * Stores an operation that is over already, Succeeded: what it stands for is true with the caller's transaction. Its
   * `workflow` only names it. Settles the resource like any other end.
   */
  startDone(tx: Tx, request: StartOperation): Promise<Operation>
  /** Call after the transaction committed: wakes the runner instead of waiting for its next poll. */
  wake(): void
  find(id: string): Promise<Operation | undefined>
  findRunning(resourceKey: string): Promise<Operation | undefined>
  /** Asks a running operation to stop; it ends as Canceled, or otherwise if it was quicker. */
  cancel(tx: DbOrTx, id: string): Promise<void>
  /** Resolves when the operation has ended. For tests and in-process callers. */
  wait(id: string, signal?: AbortSignal): Promise<Operation>
}
