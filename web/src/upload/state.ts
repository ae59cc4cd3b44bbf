// What can become of a file on its way. Pure: an event and a time in, the next draft out.

import type { Clip } from '@/api/types'

export type Phase =
  | 'queued' // another file goes first
  | 'sending' // bytes move
  | 'no_signal' // the line was cut, tried again by itself
  | 'wait_wifi' // she said: not with my data
  | 'signed_out' // goes on when she has signed in
  | 'preparing' // all of it is there, the picture is being made ready
  | 'arrived' // it plays
  | 'broken' // refused, with a reason and a next step

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
  made_at: number
  /** Where the copy of the file is; 'page' means only as long as this page lives. */
  stored: 'opfs' | 'idb' | 'page'
  wifi_only: boolean

  phase: Phase
  since: number
  offset: number
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
  | { type: 'created'; url: string; clip_id: string | null; version_id: string | null }
  | { type: 'progress'; offset: number }
  | { type: 'cut' }
  | { type: 'forgotten' } // the server no longer knows this upload
  | { type: 'hold_for_wifi' }
  | { type: 'use_any_line' }
  | { type: 'signed_out' }
  | { type: 'sent' }
  | { type: 'preparing'; what_next: string }
  | { type: 'ready'; what_next: string }
  | { type: 'refused'; message: string; next_step: string }
  | { type: 'cancel' }
  | { type: 'restore' }

export function step(draft: Draft, event: Event, now: number): Draft {
  switch (event.type) {
    case 'wait_turn':
      return enter(draft, 'queued', now)
    case 'start':
      return enter(draft, 'sending', now)
    case 'created':
      return { ...draft, url: event.url, clip_id: event.clip_id ?? draft.clip_id, version_id: event.version_id ?? draft.version_id }
    case 'progress':
      return { ...enter(draft, 'sending', now), offset: Math.min(event.offset, draft.size) }
    case 'cut':
      return enter(draft, 'no_signal', now)
    case 'forgotten':
      return { ...draft, url: null, offset: 0 }
    case 'hold_for_wifi':
      return { ...enter(draft, 'wait_wifi', now), wifi_only: true }
    case 'use_any_line':
      return { ...enter(draft, 'queued', now), wifi_only: false }
    case 'signed_out':
      return enter(draft, 'signed_out', now)
    case 'sent':
      return { ...enter(draft, 'preparing', now), offset: draft.size }
    case 'preparing':
      return { ...enter(draft, 'preparing', now), offset: draft.size, what_next: event.what_next }
    case 'ready':
      return { ...enter(draft, 'arrived', now), offset: draft.size, what_next: event.what_next }
    case 'refused':
      return { ...enter(draft, 'broken', now), refusal: { message: event.message, next_step: event.next_step } }
    case 'cancel':
      return { ...draft, cancelled_at: now }
    case 'restore':
      return { ...draft, cancelled_at: null }
  }
}

/** A phase keeps the moment it began, however often it is told again. */
function enter(draft: Draft, phase: Phase, now: number): Draft {
  return draft.phase === phase ? draft : { ...draft, phase, since: now }
}

export const stillToSend = (draft: Draft) =>
  draft.cancelled_at === null && ['queued', 'sending', 'no_signal', 'wait_wifi', 'signed_out'].includes(draft.phase)

/** The one that goes now: oldest first; those that wait for WiFi or for her stand aside. */
export function nextToSend(drafts: Draft[], onWifi: boolean): Draft | null {
  const waiting = drafts.filter(
    (draft) => stillToSend(draft) && draft.phase !== 'signed_out' && (!draft.wifi_only || onWifi),
  )
  return waiting.sort((a, b) => a.made_at - b.made_at)[0] ?? null
}

export interface Adopted {
  url: string
  clip_id: string
  version_id: string
}

/** Whether this clip's open upload can be the one that the draft asked for. */
export function fits(draft: Pick<Draft, 'size'>, clip: Pick<Clip, 'id' | 'version' | 'upload'>, taken: ReadonlySet<string>): Adopted | null {
  const upload = clip.upload
  if (!upload || upload.length !== draft.size || upload.offset !== 0 || taken.has(upload.url)) return null
  return { url: upload.url, clip_id: clip.id, version_id: clip.version }
}
