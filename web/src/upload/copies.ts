// The films themselves: held by the page until a copy of them is in the phone's safe place.
import { shallowReactive } from 'vue'
import { draftOf, tell } from './drafts'
import type { Draft } from './state'
import * as store from './store'

/** Files of which there is no copy yet live as long as the page. */
const held = new Map<string, Blob>()
/** How much of each has been copied so far, where this page copies it. */
const copied = shallowReactive(new Map<string, number>())

export const copiedOf = (id: string) => copied.get(id) ?? null
/** Until then no byte of it leaves: should the page die, it would be nowhere. */
export const awaitsCopy = (draft: Draft) => draft.filmed && copied.has(draft.id)
export const letGo = (id: string) => held.delete(id)

/** The browser asks her before it lets go of the page. */
function askFirst(event: BeforeUnloadEvent) {
  event.preventDefault()
  event.returnValue = true
}

export async function keep(id: string, file: Blob) {
  held.set(id, file)
  copied.set(id, 0)
  window.addEventListener('beforeunload', askFirst)
  const unlock = store.holdFile(id)
  const stored = await store.keepFile(id, file, (bytes) => copied.set(id, bytes))
  copied.delete(id)
  if (!copied.size) window.removeEventListener('beforeunload', askFirst)
  tell(id, { type: 'stored', stored })
  if (stored !== 'page') {
    held.delete(id)
    unlock()
  }
  // What the server was still asked about when the copy came may be needed yet.
  const draft = draftOf(id)
  if (!draft || draft.phase === 'arrived') await store.dropFile(id)
}

export async function fileOf(draft: Draft): Promise<Blob | null> {
  const here = held.get(draft.id)
  const copy = here ? null : await store.keptFile(draft)
  const file = here ?? copy?.file
  // The album may have lost it since it was picked.
  const readable = await file?.slice(0, 1).arrayBuffer().catch(() => null)
  if (!file || !readable) return null
  if (copy && draft.stored === 'copying') tell(draft.id, { type: 'stored', stored: copy.stored })
  return file
}

/** Another tab of this phone has it, and no copy of it is there yet. */
export const isElsewhere = async (draft: Draft) => !held.has(draft.id) && (await store.heldSomewhere(draft.id))
