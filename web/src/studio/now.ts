// The time that words on the page are counted to; it moves once in 20 seconds, so that nothing else does.
import { onScopeDispose, ref, type Ref } from 'vue'

export function useNow(every = 20_000): Ref<number> {
  const now = ref(Date.now())
  const timer = window.setInterval(() => { now.value = Date.now() }, every)
  onScopeDispose(() => clearInterval(timer))
  return now
}
