/** The key of a shortcut, or null while somebody writes, composes Chinese, or presses a chord. */
export function plainKey(event: KeyboardEvent): string | null {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return null
  const at = event.target
  if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return null
  if ((event.key === 'Enter' || event.key === ' ') && at instanceof HTMLElement && at.closest('a, button, summary')) return null
  return event.key.length === 1 ? event.key.toLowerCase() : event.key
}
