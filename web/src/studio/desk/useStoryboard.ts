import { shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { parseStoryboard, type Cell } from './vtt'

/** The pictures of a version. Without them the desk works on: they are a help, not a need. */
export function useStoryboard(address: Ref<string | null | undefined>): ShallowRef<Cell[]> {
  const cells = shallowRef<Cell[]>([])
  watch(address, async url => {
    if (!url) {
      cells.value = []
      return
    }
    try {
      const answer = await fetch(url)
      const text = answer.ok ? await answer.text() : ''
      if (address.value === url) cells.value = parseStoryboard(text, new URL(url, location.href).href)
    } catch {
      if (address.value === url) cells.value = []
    }
  }, { immediate: true })
  return cells
}
