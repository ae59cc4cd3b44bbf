import { reactive } from 'vue'

/** One bar over the tabs: what was done and one verb that takes it back. */
export interface ToastLine {
  text: string
  verb?: string
  act?: () => void
}
export const toast = reactive<{ line: ToastLine | null; held: boolean }>({ line: null, held: false })

const SHOWN_MS = 8000
let timer = 0
export function say(text: string, verb?: string, act?: () => void) {
  toast.line = { text, verb, act }
  again()
}
/** Touching it keeps it; letting go starts the eight seconds anew. */
export function hold(held: boolean) {
  toast.held = held
  if (!held) again()
}
export function hush() {
  window.clearTimeout(timer)
  toast.line = null
}
function again() {
  window.clearTimeout(timer)
  timer = window.setTimeout(() => !toast.held && hush(), SHOWN_MS)
}
