import { onBeforeUnmount, ref, shallowRef } from 'vue'
import { asFailure, type Failure } from '@/api/client'

/** What a page asked the server for: the answer, or why there is none, and asking again. */
export function useAsked<T>(ask: () => Promise<T>) {
  const value = shallowRef<T | null>(null)
  const failure = shallowRef<Failure | null>(null)
  const asking = ref(false)
  async function again() {
    asking.value = true
    try {
      value.value = await ask()
      failure.value = null
    } catch (error) {
      failure.value = asFailure(error)
    }
    asking.value = false
  }
  void again()
  const back = () => failure.value && void again()
  window.addEventListener('online', back)
  onBeforeUnmount(() => window.removeEventListener('online', back))
  return { value, failure, asking, again }
}

/** Asks again while there is something to wait for: soon at first, then less often, never in the background. */
export function usePolling(wanted: () => boolean, ask: () => Promise<unknown>) {
  let timer = 0
  let tries = 0
  let gone = false
  const later = () => {
    window.clearTimeout(timer)
    if (!gone) timer = window.setTimeout(turn, Math.min(20_000, 2000 * 1.35 ** tries++))
  }
  async function turn() {
    if (wanted() && document.visibilityState === 'visible') await ask().catch(() => undefined)
    else tries = 0
    later()
  }
  const seen = () => {
    if (document.visibilityState !== 'visible') return
    tries = 0
    window.clearTimeout(timer)
    void turn()
  }
  document.addEventListener('visibilitychange', seen)
  later()
  onBeforeUnmount(() => {
    gone = true
    window.clearTimeout(timer)
    document.removeEventListener('visibilitychange', seen)
  })
}
