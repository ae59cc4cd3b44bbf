// What a cohort page says about its people. Pure.
import { day, ordinal, PROMISE, since, span } from '../words'
import type { CohortProgress, CohortSummary, MarkState, TraineeProgress } from '../types'

export const MARKS: Record<MarkState, string> = {
  none: '还没交', draft: '拍了，没交', submitted: '等点评', reviewing: '老师在评', returned: '退回改', passed: '通过',
}
/** The four signs of the class cloth; a draft that was not handed in is not there yet. */
export type Sign = 'passed' | 'waiting' | 'returned' | 'none'
export function signOf(state: MarkState | undefined): Sign {
  if (state === 'submitted' || state === 'reviewing') return 'waiting'
  return state === 'passed' || state === 'returned' ? state : 'none'
}

export interface Group {
  no: number | null
  name: string
  trainees: TraineeProgress[]
}
/** By group and seat, never by how well somebody does. */
export function groupsOf(trainees: readonly TraineeProgress[]): Group[] {
  const groups = new Map<number | null, TraineeProgress[]>()
  for (const one of trainees) {
    if (one.state === 'withdrawn') continue
    const key = one.group_no
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a ?? 999) - (b ?? 999))
    .map(([no, members]) => ({
      no,
      name: no === null ? '没分组' : `${ordinal(no)}组`,
      trainees: members.sort((a, b) => (a.seat_no ?? 999) - (b.seat_no ?? 999)),
    }))
}

const DAY = 86_400_000
/** After a return, three days without a new version; a week without a sign of her. */
const RETURNED = 3 * DAY
const SILENT = 7 * DAY

export interface Stuck {
  one: TraineeProgress
  /** As short as a seat is wide. */
  label: string
  words: string
  since: number | null
}

/** Who needs somebody today and why: a broken promise, a return that lies, a week of silence. The longest first. */
export function stuckOf(progress: CohortProgress, now: number): Stuck[] {
  const begun = now - Date.parse(`${progress.cohort.starts_on}T00:00:00`)
  return progress.trainees
    .filter(one => one.state === 'active')
    .map(one => whyStuck(one, now, begun))
    .filter(found => found !== null)
    .sort((a, b) => (a.since ?? 0) - (b.since ?? 0))
}

function whyStuck(one: TraineeProgress, now: number, begun: number): Stuck | null {
  const oldest = (is: (state: MarkState) => boolean) => Object.entries(one.marks)
    .filter(([, mark]) => is(mark.state) && mark.since !== null)
    .sort(([, a], [, b]) => a.since! - b.since!)[0]
  const waits = oldest(state => state === 'submitted' || state === 'reviewing')
  if (waits && now - waits[1].since! > PROMISE) return { one, label: '等太久', words: `${waits[0]} 等老师看`, since: waits[1].since }
  const back = oldest(state => state === 'returned')
  if (back && now - back[1].since! > RETURNED) return { one, label: '退了没交', words: `${back[0]} 退回没再拍`, since: back[1].since }
  if (one.last_active_at === null) return begun > SILENT ? { one, label: '没来过', words: '开班到现在没来过', since: null } : null
  const silent = now - one.last_active_at
  return silent > SILENT ? { one, label: `${span(silent)}没来`, words: '没打开', since: one.last_active_at } : null
}

export function signsOf(one: TraineeProgress): Record<Sign, number> {
  const sums: Record<Sign, number> = { passed: 0, waiting: 0, returned: 0, none: 0 }
  for (const mark of Object.values(one.marks)) sums[signOf(mark.state)]++
  return sums
}

const STATES: Record<string, string> = {
  draft: '还没开', enrolling: '正在进班', running: '正在上', supporting: '陪练中', closed: '结了', archived: '收好了', cancelled: '没开成',
}
export const stateName = (state: string) => STATES[state] ?? state

export function weeksOf(cohort: CohortSummary, now: number): string {
  const week = 7 * 86_400_000
  const start = Date.parse(`${cohort.starts_on}T00:00:00`)
  const end = Date.parse(`${cohort.ends_on}T00:00:00`)
  const all = Math.max(1, Math.ceil((end - start) / week))
  if (now < start) return `${day(cohort.starts_on)}开班`
  if (now > end + 86_400_000) return `${day(cohort.ends_on)}结的班`
  return `第 ${Math.min(all, Math.floor((now - start) / week) + 1)} 周，共 ${all} 周`
}

export function stuckWords(stuck: Stuck | undefined, now: number): string {
  if (!stuck) return ''
  return stuck.since === null ? stuck.words : `${stuck.words} ${since(stuck.since, now)}`
}
