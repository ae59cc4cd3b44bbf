// One way for every page to fetch: what is there stays on show while it is asked for again.
import { onScopeDispose, ref, shallowRef, watch, type Ref, type WatchSource } from 'vue'
import { asFailure, type Failure } from '@/api/client'

export interface Loaded<T> {
  data: Ref<T | null>
  failure: Ref<Failure | null>
  busy: Ref<boolean>
  reload: () => Promise<void>
}

/** Asks at once, and again whenever `on` changes; an answer that comes late for an older question is dropped. */
export function useLoad<T>(ask: () => Promise<T>, on?: WatchSource<unknown>): Loaded<T> {
  const data = shallowRef<T | null>(null) as Ref<T | null>
  const failure = shallowRef<Failure | null>(null)
  const busy = ref(false)
  let turn = 0
  async function reload() {
    const mine = ++turn
    busy.value = true
    try {
      const answer = await ask()
      if (mine !== turn) return
      data.value = answer
      failure.value = null
    } catch (error) {
      if (mine === turn) failure.value = asFailure(error)
    } finally {
      if (mine === turn) busy.value = false
    }
  }
  if (on) watch(on, () => { data.value = null; void reload() })
  onScopeDispose(() => { turn++ })
  void reload()
  return { data, failure, busy, reload }
}
