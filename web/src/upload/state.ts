// What can become of a file on its way. Pure: an event and a time in, the next draft out.

export type Phase =
  | 'queued' // another file goes first
  | 'sending' // bytes move
  | 'no_signal' // nothing gets through, tried again by itself; `trouble` says what is the matter
  | 'wait_wifi' // she said: not with my data
  | 'paused' // she said: not now
  | 'needs_file' // the phone has lost the file before it was copied; she picks it again
  | 'signed_out' // goes on when she has signed in
  | 'preparing' // all of it is there, the picture is being made ready
  | 'arrived' // it plays
  | 'broken' // refused, with a reason and a next step

/** What keeps bytes from getting through. */
export type Trouble =
  | 'line' // no answer at all
  | 'portal' // somebody else answers: a WiFi that wants a sign-in first
  | 'server' // a proxy or the server is busy or gone

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
  refusal: { message: string; next_step: string } | null
  /** What the server says about the clip while it is being prepared. */
  what_next: string | null
  /** Taken away by her; really removed when she no longer can take that back. */
  cancelled_at: number | null
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
  | { type: 'clip_gone' } // and with it the clip that was made for it
  | { type: 'file_gone' }
  | { type: 'file_again' }
  | { type: 'signed_out' }
  | { type: 'had'; clip_id: string; version_id: string } // the server has the bytes already
  | { type: 'sent' }
  | { type: 'preparing'; what_next: string }
  | { type: 'ready'; what_next: string }
  | { type: 'refused'; message: string; next_step: string }
  | Said

/** What she says herself. */
type Said =
  | { type: 'hold_for_wifi' }
  | { type: 'use_any_line' }
  | { type: 'pause' }
  | { type: 'go_on' }
  | { type: 'cancel' }
  | { type: 'restore' }

export function step(draft: Draft, event: Event, now: number): Draft {
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
      return { ...enter(draft, 'broken', now), refusal: { message: event.message, next_step: event.next_step } }
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

/** What another tab tells counts, unless she has said something here since. */
export const newer = (mine: Draft | undefined, theirs: Draft): Draft =>
  mine && mine.told_at > theirs.told_at ? mine : theirs

const TO_SEND: readonly Phase[] = ['queued', 'sending', 'no_signal', 'wait_wifi', 'paused', 'needs_file', 'signed_out']
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
