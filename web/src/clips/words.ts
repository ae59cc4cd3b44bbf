// How a clip stands, in one label and one sentence. Pure.
import type { Clip, ClipSummary, FeedbackItem, SentReview } from '@/api/types'
import type { IconName } from '@/shared/Icon.vue'
import { clock } from '@/shared/words'
import { refusedIcon } from './refused'

export interface Standing {
  word: string
  icon: IconName
  tone: 'gold' | 'leaf' | 'tea' | 'clay' | 'quiet'
}

type Stands = Pick<ClipSummary, 'state' | 'media_state' | 'playable'> & { refusal: { code: string } | null; feedback_new?: number; can_submit?: boolean }

/** Trouble first, then what is new, then how far it is. */
export function standing(clip: Stands): Standing {
  if (clip.state === 'withdrawn') return { word: '收回了', icon: 'undo', tone: 'quiet' }
  if (clip.media_state === 'failed') return { word: '这条打不开', icon: refusedIcon(clip.refusal?.code), tone: 'clay' }
  if (clip.media_state === 'abandoned') return { word: '没传完', icon: 'help', tone: 'clay' }
  if (clip.feedback_new) return { word: `老师回了 ${clip.feedback_new} 句`, icon: 'listen', tone: 'gold' }
  if (clip.media_state === 'uploading') return { word: '还在传', icon: 'signal', tone: 'leaf' }
  if (!clip.playable) return { word: '老师那边在准备', icon: 'clock', tone: 'leaf' }
  switch (clip.state) {
    case 'draft':
      return { word: '还没交', icon: 'clips', tone: 'quiet' }
    case 'submitted':
      return { word: '等老师看', icon: 'clock', tone: 'leaf' }
    case 'reviewing':
      return { word: '老师正在看', icon: 'listen', tone: 'leaf' }
    case 'returned':
      if (clip.can_submit) return { word: '新的一版还没交', icon: 'clips', tone: 'gold' }
      return { word: '照着改一版', icon: 'redo', tone: 'gold' }
    case 'passed':
      return { word: '过了', icon: 'check', tone: 'tea' }
  }
}

/** The one thing to do on a clip's page; null: nothing but to wait. */
export type ClipAct = 'choose_again' | 'submit' | 'film_again' | null
export function actOf(clip: Pick<Clip, 'state' | 'media_state' | 'can_submit' | 'refusal'>): ClipAct {
  if (clip.state === 'withdrawn') return null
  if (clip.refusal || clip.media_state === 'failed' || clip.media_state === 'abandoned') return 'choose_again'
  if (clip.can_submit) return 'submit'
  if (clip.state === 'returned') return 'film_again'
  return null
}

/** A mark's one word under its second: the start of what was said. */
export function markWord(body: string): string {
  const first = body.replace(/[“”"'《》（）]/g, '').split(/[，。；：、！？,.!?;:\s]/)[0]
  return first.length > 5 ? first.slice(0, 4) + '…' : first
}

/** Praise first, then what must change, then in order of time. */
const ORDER = { praise: 0, must: 1, fix: 2, question: 3 } as const
export function inOrder<T extends { kind: keyof typeof ORDER; t_start_ms: number }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || a.t_start_ms - b.t_start_ms)
}
export function inTime<T extends { t_start_ms: number }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.t_start_ms - b.t_start_ms)
}

/** Which mark the player is at: the last one that has begun. */
export function currentMark(items: readonly { id: string; t_start_ms: number }[], at_ms: number): string | null {
  let current: string | null = null
  for (const item of inTime(items)) if (item.t_start_ms <= at_ms + 250) current = item.id
  return current
}

/** How one piece of feedback stands, in a word; nothing for one that is new. */
export function stateWords(item: Pick<FeedbackItem, 'state' | 'fixed' | 'news'>): string {
  if (item.news) return '老师又说了'
  switch (item.state) {
    case 'heard':
      return '听过'
    case 'trying':
      return '在试'
    case 'fixed':
      return item.fixed ? `改在 ${clock(item.fixed.at_ms)}` : '改了'
    case 'declined':
      return '我另有想法'
    case 'verified':
      return '改好了'
    case 'again':
      return '再来一次'
    default:
      return ''
  }
}

/** What was said before a mentor put it otherwise, in a sentence; nothing where she never did. */
export function wasOf(review: Pick<SentReview, 'amendments'>, part: 'summary' | 'next_step' | 'item', item?: string): string {
  const all = review.amendments.filter((each) => each.part === part && (!item || each.item_id === item))
  // The latest comes first; what was said at first is the last of them.
  return all.length ? `老师改过这一句，原来说：“${all[all.length - 1].before}”` : ''
}
