// Text size and theme, hers to choose. Kept on the phone; the system's own choice is the default.
import { ref, watch } from 'vue'

export const sizes = { standard: 100, large: 125, huge: 150 } as const
export type Size = keyof typeof sizes
export type Theme = 'system' | 'light' | 'dark'

const kept = <T extends string>(key: string, allowed: readonly T[], otherwise: T): T => {
  const value = localStorage.getItem(key) as T | null
  return value && allowed.includes(value) ? value : otherwise
}
export const size = ref<Size>(kept('weijia.size', ['standard', 'large', 'huge'], 'standard'))
export const theme = ref<Theme>(kept('weijia.theme', ['system', 'light', 'dark'], 'system'))

export function applyDisplay() {
  const root = document.documentElement
  watch(
    [size, theme],
    () => {
      localStorage.setItem('weijia.size', size.value)
      localStorage.setItem('weijia.theme', theme.value)
      root.style.fontSize = size.value === 'standard' ? '' : sizes[size.value] + '%'
      if (theme.value === 'system') root.removeAttribute('data-theme')
      else root.setAttribute('data-theme', theme.value)
      // The phone's own text size counts too: from 24 px on, layouts go to one column.
      const big = parseFloat(getComputedStyle(root).fontSize) >= 24
      root.toggleAttribute('data-text', big)
      if (big) root.setAttribute('data-text', 'big')
    },
    { immediate: true },
  )
}
