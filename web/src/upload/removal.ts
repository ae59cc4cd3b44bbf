// How one leaves the list: taken away by her, or seen.
import { say } from '@/shared/toast'
import { takenBack } from './arrival'
import { letGo } from './copies'
import { draftOf, forget, onChange, tell } from './drafts'
import { pump, sender } from './sending'
import type { Draft } from './state'
import * as store from './store'

/** Longer than the bar with 放回来 is there, also while she holds it. */
const RESTORABLE_MS = 60_000

// Every tab sees to it: the one she said it in may be gone.
onChange((draft) => {
  if (!draft || draft.cancelled_at === null) return
  const { id, cancelled_at } = draft
  window.setTimeout(
    () => {
      const now = draftOf(id)
      if (now && now.cancelled_at === cancelled_at) void remove(now)
    },
    cancelled_at + RESTORABLE_MS - Date.now(),
  )
})

/** Takes it away at once; the server hears of it when she no longer can take that back. */
export function cancel(id: string) {
  tell(id, { type: 'cancel' })
  const draft = draftOf(id)
  if (!draft) return
  say(`拿掉了“${draft.title}”`, '放回来', () => {
    tell(id, { type: 'restore' })
    pump()
  })
}
/** She has seen it: an arrived or a broken one leaves the list. */
export function putAway(id: string) {
  const draft = draftOf(id)
  if (draft) void remove(draft)
}

export async function remove(draft: Draft) {
  const { id, url, phase, cancelled_at } = draft
  forget(id)
  letGo(id)
  if (phase === 'broken' && cancelled_at !== null && !(await takenBack(draft))) {
    // Still written down as taken away, so that the server is asked again when the page is next opened.
    return store.dropFile(id)
  }
  if (url && !['preparing', 'arrived', 'broken'].includes(phase)) {
    await sender().then(({ terminate }) => terminate(url)).catch(() => undefined)
  }
  await store.dropDraft(id)
}
