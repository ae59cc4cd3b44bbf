// Everything of hers that is on its way: kept on the phone, sent one after the other, until it is there.
import { computed, ref, shallowReactive } from 'vue'
import { api, asFailure, data } from '@/api/client'
import { me } from '@/app/session'
import { say } from '@/shared/toast'
import { adopt } from './adopt'
import { backoff, chunkAfter, Speed } from './pace'
import type { Running } from './sender'
import { nextToSend, step, stillToSend, type Draft, type Event } from './state'
import * as store from './store'
import { keepAwake, lettingSleep, onWifi, pause, wakeUp } from './phone'

const drafts = shallowReactive(new Map<string, Draft>())
/** Files that could not be copied live as long as the page. */
const held = new Map<string, Blob>()
const resumed = shallowReactive(new Set<string>())
const speed = new Speed()
const bytes_per_second = ref(0)

let owner = ''
let running: { id: string; sending: Running } | null = null
let chunk = Infinity

// Other tabs of the same phone see the same cloth grow; only one of them sends.
const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('weijia.uploads') : null
if (tabs) tabs.onmessage = ({ data: draft }: MessageEvent<Draft>) => draft.owner === owner && drafts.set(draft.id, draft)

export const onTheWay = computed(() =>
  [...drafts.values()].filter((draft) => draft.cancelled_at === null).sort((a, b) => a.made_at - b.made_at),
)
export const draftOf = (id: string) => drafts.get(id) ?? null
export const around = (draft: Draft) => ({
  ahead: onTheWay.value.filter((other) => stillToSend(other) && !other.wifi_only && other.made_at < draft.made_at).length,
  bytes_per_second: running?.id === draft.id ? bytes_per_second.value : 0,
  resumed: resumed.has(draft.id),
})

/** Called when she is known: takes up whatever was on its way when the page went. */
export async function openFor(user: string) {
  if (owner === user) {
    for (const draft of drafts.values()) if (draft.phase === 'signed_out') tell(draft.id, { type: 'wait_turn' })
    return pump()
  }
  owner = user
  drafts.clear()
  for (const draft of await store.allDrafts().catch(() => [])) {
    if (draft.owner !== user) continue
    if (draft.cancelled_at !== null || (draft.phase === 'arrived' && Date.now() - draft.since > 3_600_000)) {
      void remove(draft)
      continue
    }
    if (draft.offset > 0 && stillToSend(draft)) resumed.add(draft.id)
    if (draft.phase === 'sending' || draft.phase === 'no_signal') asked.add(draft.id)
    drafts.set(draft.id, draft.phase === 'signed_out' ? step(draft, { type: 'wait_turn' }, Date.now()) : draft)
    if (draft.phase === 'preparing') void watchClip(draft.id)
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

/** Saves the draft and the file, and only then queues it. */
export async function add(made: NewUpload): Promise<Draft> {
  if (me.value) await openFor(me.value.id)
  const now = Date.now()
  const id = newId()
  const stored = await store.keepFile(id, made.file)
  if (stored === 'page') held.set(id, made.file)
  const draft: Draft = {
    id, owner, title: made.title, assignment: made.assignment, clip: made.clip, filename: made.file.name,
    filetype: made.file.type || 'video/mp4', size: made.file.size, made_at: now, stored, wifi_only: made.wifi_only,
    phase: made.wifi_only && !onWifi() ? 'wait_wifi' : 'queued', since: now, offset: 0, url: null, clip_id: made.clip,
    version_id: null, refusal: null, what_next: null, cancelled_at: null,
  }
  drafts.set(id, draft)
  await store.saveDraft(draft).catch(() => undefined)
  pump()
  return draft
}

/** Takes it away at once; the server hears of it when she no longer can take that back. */
export function cancel(id: string) {
  tell(id, { type: 'cancel' })
  if (running?.id === id) running.sending.stop()
  const draft = drafts.get(id)
  if (!draft) return
  const gone = window.setTimeout(() => void remove(draft), 9000)
  say(`拿掉了“${draft.title}”`, '放回来', () => {
    window.clearTimeout(gone)
    tell(id, { type: 'restore' })
    pump()
  })
}
export function holdForWifi(id: string) {
  tell(id, { type: 'hold_for_wifi' })
  if (running?.id === id) running.sending.stop()
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
  drafts.delete(draft.id)
  held.delete(draft.id)
  if (draft.url && stillUnsent(draft)) await sender().then(({ terminate }) => terminate(draft.url!)).catch(() => undefined)
  await store.dropDraft(draft)
}
const stillUnsent = (draft: Draft) => draft.phase !== 'preparing' && draft.phase !== 'arrived' && draft.phase !== 'broken'

let saved_at = 0
function tell(id: string, event: Event) {
  const before = drafts.get(id)
  if (!before) return
  const after = step(before, event, Date.now())
  drafts.set(id, after)
  // Bytes come many times a second; what is written down about them need not.
  if (event.type === 'progress' && Date.now() - saved_at < 2000 && before.phase === after.phase) return
  saved_at = Date.now()
  void store.saveDraft(after).catch(() => undefined)
  tabs?.postMessage({ ...after })
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
  for (;;) {
    const draft = nextToSend([...drafts.values()], onWifi())
    if (!draft) return
    if (await sendOnce(draft)) tries = 0
    else await pause(backoff(tries++))
  }
}

/** Drafts for which a creation was sent, whatever became of it. */
const asked = new Set<string>()

/** True when the server has more than before: the next try need not wait. */
async function sendOnce(draft: Draft): Promise<boolean> {
  const file = held.get(draft.id) ?? (await store.keptFile(draft))
  if (!file) {
    tell(draft.id, { type: 'refused', message: '手机里的这份片子不在了。', next_step: '从相册里再选一次，传好的部分不作数。' })
    return true
  }
  if (draft.phase === 'queued') tell(draft.id, { type: 'start' })
  if (!draft.url && asked.has(draft.id)) {
    const taken = new Set([...drafts.values()].map((other) => other.url ?? ''))
    const found = await adopt(draft, taken).catch(() => undefined)
    if (found === undefined) {
      tell(draft.id, { type: 'cut' })
      return false
    }
    if (found) tell(draft.id, { type: 'created', ...found })
    draft = drafts.get(draft.id) ?? draft
  }
  asked.add(draft.id)
  speed.reset()
  void keepAwake()
  const code = await sender().catch(() => null)
  if (!code) {
    tell(draft.id, { type: 'cut' })
    return false
  }
  const sending = code.send(draft, file, chunk, {
    created: (url, clip_id, version_id) => tell(draft.id, { type: 'created', url, clip_id, version_id }),
    progress(offset) {
      const now = Date.now()
      speed.mark(now, offset)
      bytes_per_second.value = speed.perSecond
      tell(draft.id, { type: 'progress', offset })
    },
  })
  running = { id: draft.id, sending }
  const outcome = await sending.outcome
  const rate = speed.perSecond
  running = null
  bytes_per_second.value = 0
  lettingSleep()

  switch (outcome.how) {
    case 'sent':
      tell(draft.id, { type: 'sent' })
      void watchClip(draft.id)
      return true
    case 'stopped':
      return true
    case 'refused':
      tell(draft.id, { type: 'refused', message: outcome.failure!.message, next_step: outcome.failure!.next_step })
      return true
    case 'signed_out':
      tell(draft.id, { type: 'signed_out' })
      return true
    case 'forgotten':
      // Perhaps it is gone because all of it has arrived and only the answer was lost.
      if (!(await arrivedAlready(draft.id))) tell(draft.id, { type: 'forgotten' })
      return false
    case 'wait': {
      tell(draft.id, { type: 'cut' })
      const before = earlier.get(draft.id)
      earlier.set(draft.id, { ...outcome, rate })
      if (!before) return false
      chunk = chunkAfter(chunk, { before: before.from, after: outcome.from, sent: before.sent, bytes_per_second: rate || before.rate })
      return outcome.from > before.from
    }
  }
}
/** Where the server was at the try before: what it believed then is not what a proxy swallowed. */
const earlier = new Map<string, { from: number; sent: number; rate: number }>()

async function clipOf(draft: Draft) {
  const clip = await data(api.GET('/api/v1/clips/{clip}', { params: { path: { clip: draft.clip_id ?? '' } } }))
  const version = clip.versions.find((each) => each.id === draft.version_id)
  return { what_next: clip.what_next, ...(version ?? clip) }
}

async function arrivedAlready(id: string): Promise<boolean> {
  const draft = drafts.get(id)
  if (!draft?.version_id) return false
  const clip = await clipOf(draft).catch(() => null)
  if (!clip || clip.media_state === 'uploading' || clip.media_state === 'abandoned') return false
  tell(id, { type: 'sent' })
  void watchClip(id)
  return true
}

/** After the last byte: asks politely until the clip plays or is refused. */
async function watchClip(id: string) {
  for (let tries = 0; ; tries++) {
    const draft = drafts.get(id)
    if (!draft || draft.phase !== 'preparing' || !draft.clip_id) return
    try {
      const clip = await clipOf(draft)
      if (clip.refusal) tell(id, { type: 'refused', ...clip.refusal })
      else if (clip.playable) tell(id, { type: 'ready', what_next: clip.what_next })
      else tell(id, { type: 'preparing', what_next: clip.what_next })
      // All of it is safe with the server, so the phone gets its room back.
      void store.dropFile(draft)
    } catch (error) {
      if (asFailure(error).status === 404) return putAway(id)
    }
    await pause(Math.min(15_000, 1500 * 1.3 ** tries))
  }
}

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
