// Light by day, dark for the video room at night: the system decides until somebody turns it here.
import { computed, ref } from 'vue'

const KEY = 'weijia.theme'
const system = window.matchMedia('(prefers-color-scheme: dark)')
const systemDark = ref(system.matches)
system.addEventListener('change', event => { systemDark.value = event.matches })
const chosen = ref<string | null>(read())

export const dark = computed(() => (chosen.value ? chosen.value === 'dark' : systemDark.value))

function read(): string | null {
  try { return localStorage.getItem(KEY) } catch { return null }
}

export function applyTheme() {
  if (chosen.value) document.documentElement.setAttribute('data-theme', chosen.value)
}

export function turnTheme() {
  chosen.value = dark.value ? 'light' : 'dark'
  applyTheme()
  try { localStorage.setItem(KEY, chosen.value) } catch { /* a browser that keeps nothing: it holds until the page is closed */ }
}
