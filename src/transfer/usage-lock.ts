/**
 * Who uses an upload: many at once (`share`: reads, page writes) or one alone (`own`: commit, replace, delete). In this
 * process only: one process owns an upload folder. Those who wait alone go before newcomers who would share.
 */
export interface UsageLocks {
  share<T>(id: string, work: () => Promise<T>): Promise<T>
  own<T>(id: string, work: () => Promise<T>): Promise<T>
  isUsed(id: string): boolean
}

interface Usage {
  sharing: number
  owned: boolean
  readonly waiting: { readonly alone: boolean; readonly enter: () => void }[]
}

export function createUsageLocks(): UsageLocks {
  const usages = new Map<string, Usage>()

  function enter(id: string, alone: boolean): Promise<void> {
    const usage = usages.get(id) ?? { sharing: 0, owned: false, waiting: [] }
    usages.set(id, usage)
    return new Promise((resolve) => {
      usage.waiting.push({ alone, enter: resolve })
      admit(id, usage)
    })
  }

  function admit(id: string, usage: Usage): void {
    for (;;) {
      const next = usage.waiting[0]
      if (!next) break
      if (usage.owned || (next.alone && usage.sharing > 0)) return
      usage.waiting.shift()
      if (next.alone) usage.owned = true
      else usage.sharing += 1
      next.enter()
    }
    if (!usage.owned && usage.sharing === 0) usages.delete(id)
  }

  async function run<T>(id: string, alone: boolean, work: () => Promise<T>): Promise<T> {
    await enter(id, alone)
    try {
      return await work()
    } finally {
      const usage = usages.get(id)
      if (usage) {
        if (alone) usage.owned = false
        else usage.sharing -= 1
        admit(id, usage)
      }
    }
  }

  return {
    share: (id, work) => run(id, false, work),
    own: (id, work) => run(id, true, work),
    isUsed: (id) => usages.has(id),
  }
}
