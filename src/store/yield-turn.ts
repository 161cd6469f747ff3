import { setImmediate } from 'node:timers/promises'

/** Lets other work of this thread run: long loops call it so that the API never waits more than some milliseconds. */
export async function yieldTurn(): Promise<void> {
  await setImmediate()
}
