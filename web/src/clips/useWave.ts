import { shallowRef, watch, type Ref, type ShallowRef } from 'vue'

/** How loud a version is, as the server wrote it down. It is only drawn: without it there is a plain line. */
export function useWave(address: Ref<string | null | undefined>): ShallowRef<unknown> {
  const wave = shallowRef<unknown>(null)
  // The address is signed anew now and then; the file's name stays.
  const name = () => address.value?.split('/').pop()
  watch(
    name,
    async (asked) => {
      const url = address.value
      const found = url ? await fetch(url).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null) : null
      if (name() === asked) wave.value = found
    },
    { immediate: true },
  )
  return wave
}
