// Everything of hers that is on its way: kept on the phone, sent one after the other, until it is there.
import { computed, ref, shallowReactive } from 'vue'
import { Failure, tellSignedOut } from '@/api/client'
import { me } from '@/app/session'
import { say } from '@/shared/toast'
import { arrived, durableOf, watch } from './arrival'
import { markOf } from './mark'
import { backoff, Pacer, Speed } from './pace'
import { keepAwake, lettingSleep, onLineChange, onWifi, pause, wakeUp } from './phone'
import type { Running } from './sender'
import { mayGo, newer, nextToSend, step, stillToSend, type Draft, type Event } from './state'
import * as store from './store'

const drafts = shallowReactive(new Map<string, Draft>())
/** Files of which there is no copy yet live as long as the page. */
const held = new Map<string, Blob>()
const resumed = shallowReactive(new Set<string>())
const speed = new Speed()
const pacer = new Pacer()
const bytes_per_second = ref(0)

let owner = ''
let running: { id: string; sending: Running } | null = null

// Other tabs of the same phone see the same cloth grow; only one of them sends.
const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('weijia.uploads') : null
if (tabs) {
  tabs.onmessage = ({ data }: MessageEvent<Draft | { gone: string }>) => {
    if ('gone' in data) drafts.delete(data.gone)
    else if (data.owner === owner) {
      const draft = newer(drafts.get(data.id), data)
      drafts.set(data.id, draft)
      if (draft.cancelled_at !== null) removeUnlessRestored(draft)
    }
    stopIfItMayNot()
  }
}
onLineChange(() => {
  pacer.lineChanged()
  stopIfItMayNot()
  pump()
})

export const onTheWay = computed(() =>
  [...drafts.values()].filter((draft) => draft.cancelled_at === null).sort((a, b) => a.made_at - b.made_at),
)
export const draftOf = (id: string) => drafts.get(id) ?? null
export const around = (draft: Draft) => ({
  ahead: onTheWay.value.filter((other) => mayGo(other, onWifi()) && other.made_at < draft.made_at).length,
  bytes_per_second: running?.id === draft.id ? bytes_per_second.value : 0,
  resumed: resumed.has(draft.id),
})

/** Called when she is known: takes up whatever was on its way when the page went. */
export async function openFor(user: string) {
  if (owner === user) {
    for (const draft of drafts.values()) if (draft.phase === 'signed_out') tell(draft.id, { type: 'wait_turn' })
    return pump()
  }
  // The phone goes from hand to hand: nothing of one is shown to, or sent for, the other.
  owner = user
  drafts.clear()
  stopIfItMayNot()
  for (const draft of await store.allDrafts().catch(() => [])) {
    if (draft.owner !== user || drafts.has(draft.id)) continue
    if (draft.phase === 'arrived' && Date.now() - draft.since > 3_600_000) {
      void remove(draft)
      continue
    }
    if (draft.offset > 0 && stillToSend(draft)) resumed.add(draft.id)
    drafts.set(draft.id, draft)
    if (draft.cancelled_at !== null) removeUnlessRestored(draft)
    if (draft.phase === 'signed_out') tell(draft.id, { type: 'wait_turn' })
    if (draft.phase === 'preparing') void watch(draft.id, draftOf, tell)
  }
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
 * Writes down what is to be sent, and queues it. The file is copied while the first bytes already leave: copying 300 MB
 * takes a cheap phone many seconds. Should the page die before the copy is there, she picks the file again and it goes
 * on from where it was.
 */
export async function add(made: NewUpload): Promise<Draft> {
  if (me.value) await openFor(me.value.id)
  const now = Date.now()
  const draft: Draft = {
    id: newId(), owner, title: made.title, assignment: made.assignment, clip: made.clip, filename: made.file.name,
    filetype: made.file.type || 'video/mp4', size: made.file.size, mark: await markOf(made.file), made_at: now,
    stored: 'copying', wifi_only: made.wifi_only, phase: made.wifi_only && !onWifi() ? 'wait_wifi' : 'queued', since: now,
    told_at: now, offset: 0, trouble: null, key: newId(), is_new: false, url: null, clip_id: made.clip, version_id: null,
    refusal: null, what_next: null, cancelled_at: null,
  }
  await store.saveDraft(draft).catch(() => undefined)
  drafts.set(draft.id, draft)
  tabs?.postMessage({ ...draft })
  void keep(draft.id, made.file)
  pump()
  return draft
}

/** She picked the file again that the phone had lost. False: it is another one. */
export async function giveAgain(id: string, file: File): Promise<boolean> {
  const draft = drafts.get(id)
  if (!draft || (await markOf(file).catch(() => '')) !== draft.mark) return false
  tell(id, { type: 'file_again' })
  void keep(id, file)
  pump()
  return true
}

async function keep(id: string, file: Blob) {
  held.set(id, file)
  const letGo = store.holdFile(id)
  const stored = await store.keepFile(id, file)
  tell(id, { type: 'stored', stored })
  if (stored === 'page') return
  held.delete(id)
  letGo()
  const draft = drafts.get(id)
  if (!draft || draft.phase === 'preparing' || draft.phase === 'arrived') void store.dropFile(id)
}

/** Takes it away at once; the server hears of it when she no longer can take that back. */
export function cancel(id: string) {
  tell(id, { type: 'cancel' })
  const draft = drafts.get(id)
  if (!draft) return
  removeUnlessRestored(draft)
  say(`拿掉了“${draft.title}”`, '放回来', () => {
    tell(id, { type: 'restore' })
    pump()
  })
}
/** Longer than the bar with 放回来 is there, also while she holds it. Every tab sees to it: the one she said it in may be gone. */
const RESTORABLE_MS = 60_000
function removeUnlessRestored({ id, cancelled_at }: Draft) {
  window.setTimeout(
    () => {
      const draft = drafts.get(id)
      if (draft && draft.cancelled_at === cancelled_at) void remove(draft)
    },
    cancelled_at! + RESTORABLE_MS - Date.now(),
  )
}
export const holdForWifi = (id: string) => tell(id, { type: 'hold_for_wifi' })
export const pauseIt = (id: string) => tell(id, { type: 'pause' })
export function goOn(id: string) {
  tell(id, { type: 'go_on' })
  pump()
}
export function useAnyLine(id: string) {
  tell(id, { type: 'use_any_line' })
  pump()
}
/** She has seen it: an arrived or a broken one leaves the list. */
export function putAway(id: string) {
  const draft = drafts.get(id)
  if (draft) void remove(draft)
}

async function remove(draft: Draft) {
  const { url, phase } = drafts.get(draft.id) ?? draft
  drafts.delete(draft.id)
  held.delete(draft.id)
  stopIfItMayNot()
  tabs?.postMessage({ gone: draft.id })
  if (url && !['preparing', 'arrived', 'broken'].includes(phase)) {
    await sender().then(({ terminate }) => terminate(url)).catch(() => undefined)
  }
  await store.dropDraft(draft)
}

let saved_at = 0
function tell(id: string, event: Event) {
  const before = drafts.get(id)
  if (!before) return
  const after = step(before, event, Date.now())
  drafts.set(id, after)
  stopIfItMayNot()
  // Bytes come many times a second; what is written down about them need not.
  const moves = event.type === 'progress' && before.phase === after.phase
  if (moves && Date.now() - saved_at < 2000) return
  saved_at = Date.now()
  void (moves ? store.saveProgress(after) : store.saveDraft(after)).catch(() => undefined)
  tabs?.postMessage({ ...after })
}

/** She has paused it, taken it away, left the WiFi it waits for, or handed the phone on. */
function stopIfItMayNot() {
  if (!running) return
  const draft = drafts.get(running.id)
  if (!draft || !mayGo(draft, onWifi())) running.sending.stop()
}

/** Its code is fetched when there is something to send: the page itself stays small. */
export const sender = () => import('./sender')

let pumping = false
/** Sends what there is to send, one file at a time and in one tab at a time. */
function pump() {
  wakeUp()
  if (pumping) return
  pumping = true
  const work = () => sendAll().finally(() => (pumping = false))
  if (navigator.locks) void navigator.locks.request('weijia.uploads', work)
  else void work()
}

async function sendAll() {
  let tries = 0
  elsewhere.clear()
  for (;;) {
    for (const draft of drafts.values()) {
      if (draft.wifi_only && !onWifi() && mayGo(draft, true)) tell(draft.id, { type: 'off_wifi' })
    }
    const here = [...drafts.values()].filter((draft) => draft.stored !== 'copying' || !elsewhere.has(draft.id))
    const draft = nextToSend(here, onWifi())
    if (!draft) return
    if (await sendOnce(draft)) tries = 0
    else await pause(backoff(tries++))
  }
}
/** Drafts whose file only another tab has. */
const elsewhere = new Set<string>()

async function fileOf(draft: Draft): Promise<Blob | null> {
  const file = held.get(draft.id) ?? (await store.keptFile(draft))
  // The album may have lost it since it was picked.
  const readable = await file?.slice(0, 1).arrayBuffer().catch(() => null)
  return file && readable ? file : null
}

/** True when the next try need not wait: the server has more than before, or something else is to be done. */
async function sendOnce(draft: Draft): Promise<boolean> {
  const file = await fileOf(draft)
  if (!file) {
    if (!held.has(draft.id) && (await store.heldSomewhere(draft.id))) elsewhere.add(draft.id)
    else tell(draft.id, { type: 'file_gone' })
    return true
  }
  tell(draft.id, { type: 'start' })
  const code = await sender().catch(() => null)
  if (!code) {
    tell(draft.id, { type: 'cut', trouble: 'line' })
    return false
  }
  if (!draft.url && !draft.is_new) {
    try {
      const had = await code.reuse(draft, file)
      if (had) {
        tell(draft.id, { type: 'had', ...had })
        void watch(draft.id, draftOf, tell)
        return true
      }
    } catch (error) {
      // What is no error of ours is a page that somebody else sent.
      tell(draft.id, { type: 'cut', trouble: !(error instanceof Failure) ? 'portal' : error.offline ? 'line' : 'server' })
      return false
    }
    tell(draft.id, { type: 'new_bytes' })
  }
  const now = drafts.get(draft.id)
  if (!now || !mayGo(now, onWifi())) return true
  return after(now.id, await attempt(code, now, file))
}

async function attempt(code: typeof import('./sender'), draft: Draft, file: Blob) {
  speed.reset()
  void keepAwake()
  const sending = code.send(draft, file, pacer, {
    created: (url, clip_id, version_id) => tell(draft.id, { type: 'created', url, clip_id, version_id }),
    progress(offset) {
      speed.mark(Date.now(), offset)
      bytes_per_second.value = speed.perSecond
      tell(draft.id, { type: 'progress', offset })
    },
    durable: async () => durableOf(drafts.get(draft.id) ?? draft),
  })
  running = { id: draft.id, sending }
  const outcome = await sending.outcome
  running = null
  bytes_per_second.value = 0
  lettingSleep()
  return outcome
}

async function after(id: string, outcome: Awaited<ReturnType<typeof attempt>>): Promise<boolean> {
  switch (outcome.how) {
    case 'sent':
      tell(id, { type: 'sent' })
      void watch(id, draftOf, tell)
      return true
    case 'stopped':
    case 'look':
    case 'too_much':
      return true
    case 'clip_gone':
      if (!drafts.get(id)?.clip) {
        tell(id, { type: 'clip_gone' })
        return false
      }
      tell(id, { type: 'refused', message: '要改的那条已经收回了。', next_step: '回首页新交一条，片子还在手机里。' })
      return true
    case 'refused':
      tell(id, { type: 'refused', message: outcome.failure!.message, next_step: outcome.failure!.next_step })
      return true
    case 'signed_out':
      tell(id, { type: 'signed_out' })
      tellSignedOut()
      return true
    case 'forgotten': {
      // Perhaps it is gone because all of it has arrived and only the answer was lost.
      const draft = drafts.get(id)
      if (draft && (await arrived(draft).catch(() => false))) {
        tell(id, { type: 'sent' })
        void watch(id, draftOf, tell)
      } else {
        tell(id, { type: 'forgotten', key: newId() })
      }
      return false
    }
    default:
      tell(id, { type: 'cut', trouble: outcome.how })
      return outcome.moved
  }
}

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
