// What this phone has on its way for whoever is signed in: in memory, written down, and the same in every tab.
import { computed, shallowReactive } from 'vue'
import { newer, step, type Draft, type Event } from './state'
import * as store from './store'

export const drafts = shallowReactive(new Map<string, Draft>())
export const draftOf = (id: string) => drafts.get(id) ?? null
export const onTheWay = computed(() =>
  [...drafts.values()].filter((draft) => draft.cancelled_at === null).sort((a, b) => a.made_at - b.made_at),
)

/** Whose they are. */
let owner = ''
export const isOwner = (user: string) => owner === user
/** The phone goes from hand to hand: nothing of one is shown to, or sent for, the other. */
export function ownedBy(user: string) {
  owner = user
  drafts.clear()
  changed()
}

const listeners = new Set<(draft?: Draft) => void>()
/** Called when something has been said about one of them, here or in another tab. */
export const onChange = (listener: (draft?: Draft) => void) => listeners.add(listener)
const changed = (draft?: Draft) => listeners.forEach((listen) => listen(draft))

// Other tabs of the same phone see the same cloth grow; only one of them sends.
const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('weijia.uploads') : null
if (tabs) {
  tabs.onmessage = ({ data }: MessageEvent<Draft | { gone: string }>) => {
    if ('gone' in data) drafts.delete(data.gone)
    else if (data.owner === owner) return put(newer(drafts.get(data.id), data))
    changed()
  }
}

export function put(draft: Draft) {
  drafts.set(draft.id, draft)
  changed(draft)
}
export async function begin(draft: Draft) {
  await store.saveDraft(draft).catch(() => undefined)
  put(draft)
  tabs?.postMessage({ ...draft })
}
export function forget(id: string) {
  drafts.delete(id)
  changed()
  tabs?.postMessage({ gone: id })
}

let saved_at = 0
export function tell(id: string, event: Event) {
  const before = drafts.get(id)
  if (!before) return
  const after = step(before, event, Date.now())
  if (after === before) return
  put(after)
  // Bytes come many times a second; what is written down about them need not.
  const moves = event.type === 'progress' && before.phase === after.phase
  if (moves && Date.now() - saved_at < 2000) return
  saved_at = Date.now()
  void (moves ? store.saveProgress(after) : store.saveDraft(after)).catch(() => undefined)
  tabs?.postMessage({ ...after })
}

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
