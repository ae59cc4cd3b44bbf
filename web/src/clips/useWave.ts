import { shallowRef, watch, type Ref, type ShallowRef } from 'vue'

/** How loud a version is, as the server wrote it down. It is only drawn: without it there is a plain line. */
export function useWave(address: Ref<string | null | undefined>): ShallowRef<unknown> {
  const wave = shallowRef<unknown>(null)
  watch(
    // The address is signed anew now and then; the file's name stays.
    () => address.value?.split('/').pop(),
    async () => {
      const asked = address.value
      const found = asked ? await fetch(asked).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null) : null
      if (address.value === asked) wave.value = found
    },
    { immediate: true },
  )
  return wave
}
