// What can become of a file on its way. Pure: an event and a time in, the next draft out.

export type Phase =
  | 'chosen' // just filmed and kept; she has not said yet that it is to be sent
  | 'queued' // another file goes first
  | 'sending' // bytes move
  | 'no_signal' // nothing gets through, tried again by itself; `trouble` says what is the matter
  | 'wait_wifi' // she said: not with my data
  | 'paused' // she said: not now
  | 'needs_file' // the phone has lost the file before it was copied; she picks it again
  | 'signed_out' // goes on when she has signed in
  | 'put_off' // not taken now, for want of room or because of the day; tried again at `again_at`
  | 'preparing' // all of it is there, the picture is being made ready
  | 'arrived' // it plays
  | 'broken' // refused, with a reason and a next step

/** What keeps bytes from getting through. */
export type Trouble =
  | 'line' // no answer at all
  | 'portal' // somebody else answers: a WiFi that wants a sign-in first
  | 'server' // a proxy or the server is busy or gone
  | 'gateway' // a proxy refuses even the smallest piece; only another network helps

/** Where the file is; 'page' means there was no room for a copy, so it lives as long as the page. */
export type Stored = 'copying' | 'opfs' | 'idb' | 'page'

export interface Draft {
  id: string
  owner: string
  title: string
  assignment: { code: string; title: string } | null
  /** The clip that this is a new version of. */
  clip: string | null
  filename: string
  filetype: string
  size: number
  /** Tells the same file again from another one. */
  mark: string
  made_at: number
  stored: Stored
  /** Straight from the camera: perhaps nowhere else on the phone, so no byte leaves before there is a copy. */
  filmed: boolean
  wifi_only: boolean

  phase: Phase
  since: number
  /** When she last said something about it herself: among two tabs, her newest word counts. */
  told_at: number
  offset: number
  trouble: Trouble | null
  /** Sent with the creation, so that asking again makes no second upload. */
  key: string
  /** The server was asked whether it has these very bytes of hers; it hasn't. */
  is_new: boolean
  /** The upload's address on the server, known after its creation. */
  url: string | null
  clip_id: string | null
  version_id: string | null
  refusal: Refusal | null
  /** When one that was put off is tried again. */
  again_at: number | null
  /** How often the server has lost it, after which it was sent again. */
  lost_times: number
  /** What the server says about the clip while it is being prepared. */
  what_next: string | null
  /** Taken away by her; really removed when she no longer can take that back. */
  cancelled_at: number | null
}

export interface Refusal {
  code: string
  message: string
  next_step: string
}

export type Event =
  | { type: 'wait_turn' }
  | { type: 'start' }
  | { type: 'stored'; stored: Stored }
  | { type: 'new_bytes' }
  | { type: 'created'; url: string; clip_id: string | null; version_id: string | null }
  | { type: 'progress'; offset: number }
  | { type: 'cut'; trouble: Trouble }
  | { type: 'off_wifi' }
  | { type: 'forgotten'; key: string } // the server no longer knows this upload
  | { type: 'lost'; key: string } // or has lost what it had of it
  | { type: 'not_all_there' } // it says now that some of it is missing
  | { type: 'clip_gone' } // and with it the clip that was made for it
  | { type: 'file_gone' }
  | { type: 'file_again' }
  | { type: 'signed_out' }
  | { type: 'had'; clip_id: string; version_id: string } // the server has the bytes already
  | { type: 'sent' }
  | { type: 'preparing'; what_next: string }
  | { type: 'ready'; what_next: string }
  | { type: 'refused'; refusal: Refusal }
  | { type: 'put_off'; refusal: Refusal; again_at: number }
  | Said

/** What she says herself. */
type Said =
  | { type: 'send'; title: string; assignment: Draft['assignment']; wifi_only: boolean; on_wifi: boolean }
  | { type: 'choose_anew'; key: string } // what it was for is over; the film is as good as before
  | { type: 'hold_for_wifi' }
  | { type: 'use_any_line' }
  | { type: 'pause' }
  | { type: 'go_on' }
  | { type: 'cancel' }
  | { type: 'restore' }

/** What a try finds out counts only while it may go on: she may have said something in between. */
const OF_A_TRY: readonly Event['type'][] = ['start', 'progress', 'cut', 'off_wifi', 'file_gone', 'signed_out', 'put_off']

export function step(draft: Draft, event: Event, now: number): Draft {
  const waits_for_her = !GOES.includes(draft.phase) && !(draft.phase === 'chosen' && event.type === 'file_gone')
  if (OF_A_TRY.includes(event.type) && waits_for_her) return draft
  switch (event.type) {
    case 'wait_turn':
      return enter(draft, 'queued', now)
    case 'start':
      return enter(draft, 'sending', now)
    case 'stored':
      return { ...draft, stored: event.stored }
    case 'new_bytes':
      return { ...draft, is_new: true }
    case 'created':
      return { ...draft, url: event.url, clip_id: event.clip_id ?? draft.clip_id, version_id: event.version_id ?? draft.version_id }
    case 'progress':
      return { ...enter(draft, 'sending', now), offset: Math.min(event.offset, draft.size), trouble: null }
    case 'cut':
      return { ...enter(draft, 'no_signal', now), trouble: event.trouble }
    case 'off_wifi':
      return enter(draft, 'wait_wifi', now)
    case 'forgotten':
      return { ...draft, url: null, offset: 0, key: event.key }
    case 'lost':
      return { ...again(draft, now), url: null, offset: 0, key: event.key, lost_times: (draft.lost_times ?? 0) + 1 }
    case 'not_all_there':
      return again(draft, now)
    case 'clip_gone':
      return { ...draft, clip_id: null, version_id: null }
    case 'file_gone':
      return enter(draft, 'needs_file', now)
    case 'file_again':
      return { ...enter(draft, 'queued', now), stored: 'copying' }
    case 'signed_out':
      return enter(draft, 'signed_out', now)
    case 'had':
      return { ...enter(draft, 'preparing', now), offset: draft.size, clip_id: event.clip_id, version_id: event.version_id }
    case 'sent':
      return { ...enter(draft, 'preparing', now), offset: draft.size }
    case 'preparing':
      return { ...enter(draft, 'preparing', now), offset: draft.size, what_next: event.what_next }
    case 'ready':
      return { ...enter(draft, 'arrived', now), offset: draft.size, what_next: event.what_next }
    case 'refused':
      return { ...enter(draft, 'broken', now), refusal: event.refusal }
    case 'put_off':
      return { ...enter(draft, 'put_off', now), refusal: event.refusal, again_at: event.again_at }
    case 'send': {
      const { title, assignment, wifi_only, on_wifi } = event
      return { ...enter(draft, wifi_only && !on_wifi ? 'wait_wifi' : 'queued', now), title, assignment, wifi_only, told_at: now }
    }
    case 'choose_anew':
      return { ...enter(draft, 'chosen', now), clip: null, clip_id: null, version_id: null, assignment: null, url: null, offset: 0, key: event.key, refusal: null, told_at: now }
    case 'hold_for_wifi':
      return { ...enter(draft, 'wait_wifi', now), wifi_only: true, told_at: now }
    case 'use_any_line':
      return { ...enter(draft, 'queued', now), wifi_only: false, told_at: now }
    case 'pause':
      return { ...enter(draft, 'paused', now), told_at: now }
    case 'go_on':
      return { ...enter(draft, 'queued', now), told_at: now }
    case 'cancel':
      return { ...draft, cancelled_at: now, told_at: now }
    case 'restore':
      return { ...draft, cancelled_at: null, told_at: now }
  }
}

/** A phase keeps the moment it began, however often it is told again. */
function enter(draft: Draft, phase: Phase, now: number): Draft {
  return draft.phase === phase ? draft : { ...draft, phase, since: now }
}

/** From believed to be there back into the queue; in any other phase it stays. */
const again = (draft: Draft, now: number) => (draft.phase === 'preparing' ? enter(draft, 'queued', now) : draft)

/** What another tab tells counts, unless she has said something here since. */
export const newer = (mine: Draft | undefined, theirs: Draft): Draft =>
  mine && mine.told_at > theirs.told_at ? mine : theirs

const TO_SEND: readonly Phase[] = ['queued', 'sending', 'no_signal', 'wait_wifi', 'paused', 'needs_file', 'signed_out', 'put_off']
export const stillToSend = (draft: Draft) => draft.cancelled_at === null && TO_SEND.includes(draft.phase)

const GOES: readonly Phase[] = ['queued', 'sending', 'no_signal', 'wait_wifi']
/** Nothing but its turn keeps it. */
export const mayGo = (draft: Draft, onWifi: boolean) =>
  draft.cancelled_at === null && GOES.includes(draft.phase) && (!draft.wifi_only || onWifi)

/** The one that goes now: oldest first; those that wait for WiFi or for her stand aside. */
export function nextToSend(drafts: Draft[], onWifi: boolean): Draft | null {
  const waiting = drafts.filter((draft) => mayGo(draft, onWifi))
  return waiting.sort((a, b) => a.made_at - b.made_at)[0] ?? null
}
