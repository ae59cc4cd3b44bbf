// A review while it is being written: what is still missing, and how two copies of it become one. Pure.
import { count } from '../words'
import type { Draft, DraftItem, FeedbackItem, Kind, Rubric } from '../types'

/** `key` names an item in this browser from before the server has given it an id. */
export interface WorkItem extends DraftItem {
  key: string
}
export type Scores = Record<string, number | null>
export type Gates = Record<string, boolean | null>
export interface Verdict {
  item_id: string
  verdict: 'verified' | 'again'
  /** The moment of this version that shows it. */
  at_ms?: number | null
}
export interface Work {
  items: WorkItem[]
  scores: Scores
  gates: Gates
  summary: string
  next_step: string
  outcome: 'pass' | 'return' | null
  settled: Verdict[]
}

let keys = 0
export const freshKey = () => `k${++keys}-${Date.now().toString(36)}`

export function toWork(draft: Draft): Work {
  return {
    items: draft.items.map(item => ({ ...item, key: item.id ?? freshKey() })),
    scores: { ...draft.scores },
    gates: { ...draft.gates },
    summary: draft.summary,
    next_step: draft.next_step,
    outcome: draft.outcome ?? null,
    settled: draft.settled.map(verdict => ({ ...verdict })),
  }
}

/** What goes over the wire: items in order of time, without this browser's keys. */
export function toBody(work: Work, rev: number): Omit<Draft, 'review_id'> {
  const items = inOrder(work.items).map(({ key: _, ...item }) => ({ ...item, body: item.body.trim() }))
  return { ...work, items, rev }
}

export function inOrder<T extends DraftItem>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.t_start_ms - b.t_start_ms)
}

export const KINDS: { kind: Kind; seal: string; name: string }[] = [
  { kind: 'praise', seal: '夸', name: '夸' },
  { kind: 'fix', seal: '改', name: '改' },
  { kind: 'question', seal: '问', name: '问' },
  { kind: 'must', seal: '必', name: '必改' },
]

export function tally(items: readonly DraftItem[]): Record<Kind, number> {
  const sums: Record<Kind, number> = { praise: 0, fix: 0, question: 0, must: 0 }
  for (const item of items) sums[item.kind]++
  return sums
}

export interface Missing {
  part: 'praise' | 'fixes' | 'point' | 'settled' | 'scores' | 'gates' | 'summary' | 'next_step' | 'outcome' | 'pass'
  words: string
}

/** Everything that still keeps the send button shut, named as she would say it. */
export function missing(
  work: Work,
  rubric: Rubric,
  open: readonly FeedbackItem[],
  limits: { min_praise: number; max_fixes: number },
): Missing[] {
  const out: Missing[] = []
  const sums = tally(work.items)
  const settled = new Set(work.settled.map(verdict => verdict.item_id))
  const unseen = open.filter(item => !settled.has(item.id)).length
  if (unseen) out.push({ part: 'settled', words: `上一版${count(unseen, '处')}没看` })
  if (sums.praise < limits.min_praise) out.push({ part: 'praise', words: '至少夸一句' })
  if (sums.fix > limits.max_fixes) out.push({ part: 'fixes', words: `“改”多了${count(sums.fix - limits.max_fixes, '条')}` })
  const unscored = rubric.dims.filter(dim => !work.scores[dim.code]).length
  // the rubric's own words: what a gate stops is not scored
  if (unscored && !stopped(work)) out.push({ part: 'scores', words: `${count(unscored, '项')}评分`.trim() })
  const unchecked = rubric.gates.filter(gate => typeof work.gates[gate.code] !== 'boolean')
  if (unchecked.length === 1) out.push({ part: 'gates', words: `${unchecked[0]!.title}没看` })
  else if (unchecked.length) out.push({ part: 'gates', words: `${count(unchecked.length, '样')}红线没看` })
  if (!work.summary.trim()) out.push({ part: 'summary', words: '总的一句' })
  if (!work.next_step.trim()) out.push({ part: 'next_step', words: '下一步' })
  if (!work.outcome) out.push({ part: 'outcome', words: '通过还是再拍' })
  else if (work.outcome === 'pass') {
    const why = whyNotPass(work, rubric, open)
    if (why) out.push({ part: 'pass', words: why })
  } else if (!sums.fix && !sums.must && !work.settled.some(verdict => verdict.verdict === 'again')) {
    out.push({ part: 'point', words: '再拍改哪里，写一条“改”' })
  }
  return out
}

const stopped = (work: Pick<Work, 'gates'>) => Object.values(work.gates).includes(false)

/** 0 to 100, or null while a row is empty: an empty row is not zero. */
export function total(scores: Scores, rubric: Rubric): number | null {
  let sum = 0
  for (const dim of rubric.dims) {
    const level = scores[dim.code]
    if (!level) return null
    sum += dim.weight * level
  }
  // down, so that what shows as 60 is at least 60
  return Math.floor(sum / 5)
}

/** The rubric's rule for passing, as the reason it does not hold; null when it holds or cannot be told yet. */
export function whyNotPass(work: Work, rubric: Rubric, open: readonly FeedbackItem[]): string | null {
  if (work.items.some(item => item.kind === 'must')) return '有“必改”，先请她再拍'
  const fixed = new Set(work.settled.filter(v => v.verdict === 'verified').map(v => v.item_id))
  if (open.some(item => item.kind === 'must' && !fixed.has(item.id))) return '上一版的“必改”还没改好，先请她再拍'
  const shut = rubric.gates.find(gate => work.gates[gate.code] === false)
  if (shut) return `“${shut.title}”没过，先请她再拍`
  const low = rubric.dims.find(dim => work.scores[dim.code] === 1)
  if (low) return `“${low.title}”只有 1 级，先请她再拍`
  const sum = total(work.scores, rubric)
  return sum !== null && sum < 60 ? `合计 ${sum}，够 60 才能通过` : null
}

/** After a save: items that had no id get the one the server gave them, whatever was typed meanwhile. */
export function adoptIds(current: Work, sent: Work, saved: Draft): Work {
  const known = new Set(sent.items.map(item => item.id).filter(Boolean))
  const fresh = saved.items.filter(item => item.id && !known.has(item.id))
  const given = new Map<string, string>()
  for (const item of inOrder(sent.items).filter(item => !item.id)) {
    const at = fresh.findIndex(other => sameItem({ ...item, body: item.body.trim() }, other))
    if (at >= 0) given.set(item.key, fresh.splice(at, 1)[0]!.id!)
  }
  return { ...current, items: current.items.map(item => ({ ...item, id: item.id ?? given.get(item.key) ?? null })) }
}

/**
 * Two people or two windows wrote: `base` is what both started from. What this window changed stays, what
 * the other one changed is taken over, and nothing that anyone wrote is dropped because of a conflict.
 */
export function merge(base: Work, mine: Work, theirs: Work): Work {
  const byId = (work: Work) => new Map(work.items.filter(item => item.id).map(item => [item.id!, item]))
  const was = byId(base), here = byId(mine), there = byId(theirs)
  const items: WorkItem[] = []
  for (const item of mine.items) {
    const before = item.id ? was.get(item.id) : undefined
    const other = item.id ? there.get(item.id) : undefined
    if (!item.id) items.push(item)
    else if (other) items.push(before && sameItem(before, item) ? { ...other, key: item.key } : item)
    else if (!before || !sameItem(before, item)) items.push({ ...item, id: null })
  }
  for (const item of theirs.items) {
    if (here.has(item.id!)) continue
    const before = was.get(item.id!)
    if (!before || !sameItem(before, item)) items.push(item)
  }
  const verdicts = (work: Work) => Object.fromEntries(work.settled.map(v => [v.item_id, JSON.stringify(v)]))
  const settled = mergeKeys(verdicts(base), verdicts(mine), verdicts(theirs))
  return {
    items: inOrder(items),
    scores: mergeKeys(base.scores, mine.scores, theirs.scores),
    gates: mergeKeys(base.gates, mine.gates, theirs.gates),
    summary: mergeOne(base.summary, mine.summary, theirs.summary),
    next_step: mergeOne(base.next_step, mine.next_step, theirs.next_step),
    outcome: mergeOne(base.outcome, mine.outcome, theirs.outcome),
    settled: Object.values(settled).map(text => JSON.parse(text) as Verdict),
  }
}

/** Alike as far as anybody could tell: an empty row, a row set to null and the order of keys make no difference. */
export function same(a: Work, b: Work): boolean {
  return canon(a) === canon(b)
}

function canon(work: Work): string {
  const items = inOrder(work.items).map(i => [i.id, i.kind, i.t_start_ms, i.t_end_ms ?? null, i.dim ?? null, i.body.trim()])
  const set = (values: Record<string, unknown>) =>
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined).sort(([x], [y]) => (x < y ? -1 : 1))
  const settled = set(Object.fromEntries(work.settled.map(v => [v.item_id, [v.verdict, v.at_ms ?? null]])))
  return JSON.stringify([items, set(work.scores), set(work.gates), work.summary, work.next_step, work.outcome, settled])
}

function sameItem(a: DraftItem, b: DraftItem): boolean {
  return a.kind === b.kind && a.t_start_ms === b.t_start_ms && (a.t_end_ms ?? null) === (b.t_end_ms ?? null) &&
    (a.dim ?? null) === (b.dim ?? null) && a.body === b.body
}

function mergeOne<T>(base: T, mine: T, theirs: T): T {
  return mine === base ? theirs : mine
}

function mergeKeys<T>(base: Record<string, T>, mine: Record<string, T>, theirs: Record<string, T>): Record<string, T> {
  const out: Record<string, T> = {}
  for (const key of new Set([...Object.keys(base), ...Object.keys(mine), ...Object.keys(theirs)])) {
    const value = mergeOne(base[key], mine[key], theirs[key])
    if (value !== undefined) out[key] = value
  }
  return out
}
