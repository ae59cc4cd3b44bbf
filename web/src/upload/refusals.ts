// What becomes of a film that is not taken: some refusals are about the film, others only about the day, the room or what
// it was sent for. Pure.
import type { Draft, Event, Refusal } from './state'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const CHINA = 8 * HOUR

/** Over at midnight in China (services/core/src/upload/quota.rs). */
const OF_THE_DAY: readonly string[] = ['quota_day', 'too_many_today']
/** Over when somebody has made room or has answered. */
const OF_NOW: readonly string[] = ['quota_person', 'too_many_uploads', 'clip_in_review', 'disk_low', 'disk_full']
const ABOUT_THE_DISK: readonly string[] = ['disk_low', 'disk_full']
/** The film is as good as before; it only cannot go where it was to go. */
const ABOUT_THE_PLACE: readonly string[] = ['clip_passed', 'clip_gone', 'no_such_assignment']

/** Not now: the film stays on the phone and is tried again. */
export const isForLater = (code: string | null | undefined) => !!code && (OF_THE_DAY.includes(code) || OF_NOW.includes(code))
export const mayGoElsewhere = ({ phase, refusal }: Pick<Draft, 'phase' | 'refusal'>) =>
  phase === 'broken' && ABOUT_THE_PLACE.includes(refusal?.code ?? '')
/** What she makes room by. */
export const isAboutHerClips = (code: string | undefined) => code === 'quota_person' || code === 'too_many_uploads'

/** Asking again costs next to nothing, so it is asked each hour, whatever the phone believes how late it is. */
export function againAt(code: string, now: number): number {
  if (ABOUT_THE_DISK.includes(code)) return now + 5 * MINUTE
  if (!OF_THE_DAY.includes(code)) return now + HOUR
  const midnight = (Math.floor((now + CHINA) / DAY) + 1) * DAY - CHINA
  return Math.min(now + HOUR, midnight + MINUTE)
}

/** Whether one that was put off is asked about now; `opened`: the page has just been opened. */
export function isDue(draft: Draft, now: number, opened: boolean): boolean {
  if (draft.phase !== 'put_off' || draft.cancelled_at !== null) return false
  return now >= (draft.again_at ?? 0) || (opened && OF_NOW.includes(draft.refusal?.code ?? ''))
}

export const CLIP_GONE: Refusal = {
  code: 'clip_gone', message: '要改的那条已经收回了。', next_step: '片子还在手机里，当新的一条传就行。',
}
const NOT_KEPT: Refusal = {
  code: 'not_kept', message: '传了几回，老师那边都没存住，对不住。', next_step: '片子还在手机里。明天自己再传；急的话告诉老师一声。',
}
const MOST_LOST = 2

/** The server has lost it and the phone has it: sent again, but her data is not spent on it for ever. */
export function afterLoss(draft: Draft, key: string, now: number): Event[] {
  const lost: Event = { type: 'lost', key }
  return (draft.lost_times ?? 0) < MOST_LOST ? [lost] : [lost, { type: 'put_off', refusal: NOT_KEPT, again_at: now + DAY }]
}
