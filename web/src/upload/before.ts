// What is said before a file goes: what it costs, what it may be called and what it is for. Pure.
import { mb } from '@/shared/words'
import type { Draft } from './state'

/** Ten yuan for a gigabyte, as in the small data packages that she buys. */
export function costWords(bytes: number): string {
  const mao = Math.max(1, Math.round(bytes / 10_000_000))
  const money = mao < 10 ? `${mao} 毛钱` : `${(mao / 10).toFixed(1).replace(/\.0$/, '')} 块钱`
  return `这条 ${mb(bytes)}，用流量大约要 ${money}。`
}

/** A title she need not type: what the assignment is called, or the day. */
export function titleFor(assignment: string | null, made_at: number): string {
  if (assignment) return assignment.split(/[：:，,]/)[0].slice(0, 40)
  const d = new Date(made_at)
  return `${d.getMonth() + 1}月${d.getDate()}日拍的`
}

/** Where she looks at a film before it goes, knowing what it is for. A title that she didn't type is made there. */
export function toReady(draft: Draft) {
  const query: Record<string, string> = {}
  if (draft.phase === 'chosen') query.film = draft.id
  if (draft.title !== titleFor(null, draft.made_at)) query.title = draft.title
  const clip = draft.clip ?? draft.clip_id
  if (clip) query.clip = clip
  if (draft.assignment) query.assignment = draft.assignment.code
  return { path: '/upload', query }
}
/** The page of one on its way. */
export const pageOf = (draft: Draft) => (draft.phase === 'chosen' ? toReady(draft) : `/upload/${draft.id}`)
