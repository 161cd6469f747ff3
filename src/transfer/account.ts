/** A storage account as the data plane needs it; the room `storage` knows them. */
export interface Account {
  /** ARM id: rights of callers with a token are asked for there. */
  readonly id: string
  readonly name: string
  readonly subscriptionId: string
  /** Base64; either of them signs. */
  readonly keys: readonly string[]
  readonly skuName: string
  readonly kind: string
}

/** Undefined: there is no resource of this name, and its blobs belong to the open upload area. */
export type FindAccount = (name: string) => Promise<Account | undefined>
