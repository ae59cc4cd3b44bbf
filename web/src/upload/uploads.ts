// Everything of hers that is on its way, for the pages: what there is, and what she says about it.
import { shallowReactive } from 'vue'
import { me } from '@/app/session'
import { copiedOf, fileOf, isElsewhere, keep } from './copies'
import { begin, draftOf, drafts, isOwner, newId, onTheWay, ownedBy, put, tell } from './drafts'
import { markOf } from './mark'
import { lineKind, onWifi } from './phone'
import { remove } from './removal'
import { follow, pump, speedOf, takeUpPutOff } from './sending'
import { mayGo, stillToSend, type Draft } from './state'
import * as store from './store'

export { draftOf, drafts, onTheWay } from './drafts'
export { cancel, putAway } from './removal'
export { sender } from './sending'

/** Where those stood that were on their way when the page was opened: from anywhere else, bytes move. */
const resumed = shallowReactive(new Map<string, number>())
export const around = (draft: Draft) => ({
  ahead: onTheWay.value.filter((other) => mayGo(other, onWifi()) && other.made_at < draft.made_at).length,
  bytes_per_second: speedOf(draft.id),
  resumed: resumed.get(draft.id) === draft.offset,
  copied: copiedOf(draft.id),
  line: lineKind(),
})

let opening: Promise<void> = Promise.resolve()
/** Called when she is known: takes up whatever was on its way when the page went. */
export function openFor(user: string): Promise<void> {
  if (isOwner(user)) {
    for (const draft of drafts.values()) if (draft.phase === 'signed_out') tell(draft.id, { type: 'wait_turn' })
    pump()
  } else {
    ownedBy(user)
    opening = open(user)
  }
  return opening
}

async function open(user: string) {
  void store.sweep().catch(() => undefined)
  for (const draft of await store.allDrafts().catch(() => [])) {
    if (!isOwner(user)) return
    if (draft.owner !== user || drafts.has(draft.id)) continue
    if (draft.phase === 'arrived' && Date.now() - draft.since > 3_600_000) {
      void remove(draft)
      continue
    }
    if (draft.offset > 0 && stillToSend(draft)) resumed.set(draft.id, draft.offset)
    put(draft)
    if (draft.phase === 'signed_out') tell(draft.id, { type: 'wait_turn' })
    if (draft.phase === 'preparing') void follow(draft.id)
    if (draft.phase === 'chosen' && !(await fileOf(draft)) && !(await isElsewhere(draft))) tell(draft.id, { type: 'file_gone' })
  }
  takeUpPutOff(true)
  pump()
}

export interface NewUpload {
  file: File
  title: string
  assignment: Draft['assignment']
  clip: string | null
  wifi_only: boolean
}

/**
 * Writes down what is to be sent, and queues it. A film of the album is copied while the first bytes already leave:
 * copying 300 MB takes a cheap phone many seconds. Should the page die before the copy is there, she picks it again and
 * it goes on from where it was.
 */
export async function add(made: NewUpload): Promise<Draft> {
  return start(made, { phase: made.wifi_only && !onWifi() ? 'wait_wifi' : 'queued', filmed: false })
}

/** One straight from the camera is kept before she has said anything about it: perhaps it is nowhere else on the phone. */
export const keepFilmed = (made: Omit<NewUpload, 'wifi_only'>) =>
  start({ ...made, wifi_only: false }, { phase: 'chosen', filmed: true })

async function start({ file, title, assignment, clip, wifi_only }: NewUpload, { phase, filmed }: Pick<Draft, 'phase' | 'filmed'>) {
  if (me.value) void openFor(me.value.id)
  const now = Date.now()
  const draft: Draft = {
    id: newId(), owner: me.value?.id ?? '', title, assignment, clip, filename: file.name, filetype: file.type || 'video/mp4',
    size: file.size, mark: await markOf(file), made_at: now, stored: 'copying', filmed, wifi_only, phase, since: now, told_at: now,
    offset: 0, trouble: null, key: newId(), is_new: false, url: null, clip_id: clip, version_id: null, refusal: null,
    again_at: null, lost_times: 0, what_next: null, cancelled_at: null,
  }
  await begin(draft)
  void keep(draft.id, file).then(pump)
  pump()
  return draft
}

/** What was filmed before the page was opened again. Null: it is sent by now, or not here. */
export async function filmOf(id: string): Promise<Blob | null> {
  if (me.value) await openFor(me.value.id)
  const draft = draftOf(id)
  if (draft?.phase !== 'chosen') return null
  const file = await fileOf(draft)
  if (!file && !(await isElsewhere(draft))) tell(id, { type: 'file_gone' })
  return file
}

export function sendFilmed(id: string, said: Pick<Draft, 'title' | 'assignment' | 'wifi_only'>) {
  tell(id, { type: 'send', ...said, on_wifi: onWifi() })
  pump()
}
export const chooseAnew = (id: string) => tell(id, { type: 'choose_anew', key: newId() })

/** She picked the file again that the phone had lost. False: it is another one. */
export async function giveAgain(id: string, file: File): Promise<boolean> {
  const draft = draftOf(id)
  if (!draft || (await markOf(file).catch(() => '')) !== draft.mark) return false
  tell(id, { type: 'file_again' })
  void keep(id, file).then(pump)
  pump()
  return true
}

// After each of these the next one goes, or this one does.
function says(id: string, event: Parameters<typeof tell>[1]) {
  tell(id, event)
  pump()
}
export const holdForWifi = (id: string) => says(id, { type: 'hold_for_wifi' })
export const pauseIt = (id: string) => says(id, { type: 'pause' })
export const goOn = (id: string) => says(id, { type: 'go_on' })
export const useAnyLine = (id: string) => says(id, { type: 'use_any_line' })
