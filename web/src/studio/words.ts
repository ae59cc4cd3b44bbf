// How the studio says times and counts. Pure, so that a test can stand at any moment.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** What a mentor has promised: an answer within two days. */
export const PROMISE = 48 * HOUR

export type Urgency = 'calm' | 'soon' | 'now'
export interface TimeLeft {
  words: string
  urgency: Urgency
  /** 1 when the promise is fresh, 0 when it has run out: the falling bar. */
  share: number
}

export function timeLeft(dueAt: number, now: number): TimeLeft {
  const left = dueAt - now
  const share = Math.max(0, Math.min(1, left / PROMISE))
  if (left <= 0) return { words: `过了 ${span(-left)}`, urgency: 'now', share }
  const urgency: Urgency = left < 2 * HOUR ? 'now' : left < 12 * HOUR ? 'soon' : 'calm'
  return { words: `还剩 ${span(left)}`, urgency, share }
}

/** A length of time in the largest unit that still says something: 40 分钟, 39 小时, 6 天. */
export function span(ms: number): string {
  if (ms < MINUTE) return '不到 1 分钟'
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)} 分钟`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} 小时`
  return `${Math.floor(ms / DAY)} 天`
}

export function since(at: number, now: number): string {
  return now - at < MINUTE ? '刚刚' : span(now - at)
}

/** 0:24, 12:05, 1:02:09 */
export function clockOf(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const h = Math.floor(total / 3600)
  const m = Math.floor((total % 3600) / 60)
  const s = String(total % 60).padStart(2, '0')
  return h ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`
}

const two = (n: number) => String(n).padStart(2, '0')

/** The hour of a moment, with its day when that is not today: 22:40, 明天 9:05, 11月9日 22:40. */
export function moment(at: number, now: number): string {
  const d = new Date(at)
  const hour = `${d.getHours()}:${two(d.getMinutes())}`
  const days = Math.round((midnight(at) - midnight(now)) / DAY)
  if (days === 0) return hour
  if (days === 1) return `明天 ${hour}`
  if (days === -1) return `昨天 ${hour}`
  return `${d.getMonth() + 1}月${d.getDate()}日 ${hour}`
}

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0)
}

/** 2026-11-09 as 2026年11月9日, or 11月9日 when the year is the given one. */
export function day(on: string | null | undefined, thisYear?: number): string {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(on ?? '')
  if (!parts) return ''
  const [y, m, d] = parts.slice(1).map(Number) as [number, number, number]
  return y === thisYear ? `${m}月${d}日` : `${y}年${m}月${d}日`
}

export function isoDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

const DIGITS = ['零', '一', '两', '三', '四', '五', '六', '七', '八', '九', '十']
/** A count before a measure word: 两项, 十条; beyond ten, digits with thin gaps. */
export function count(n: number, unit: string): string {
  return n >= 0 && n <= 10 ? `${DIGITS[n]}${unit}` : ` ${n} ${unit}`
}

const ORDINALS = ['', '一', '二', '三', '四', '五', '六', '七', '八', '九', '十']
export function ordinal(n: number): string {
  if (n <= 10) return ORDINALS[n] ?? String(n)
  if (n < 20) return `十${ORDINALS[n - 10]}`
  return String(n)
}

/** 12345 as 12345, 123456 as 12.3 万: figures in a table keep their width. What is missing is never 0 or a dash. */
export function figure(n: number | null): string {
  if (n === null) return '没登记'
  if (n >= 100_000) return `${(n / 10_000).toFixed(n >= 1_000_000 ? 0 : 1).replace(/\.0$/, '')} 万`
  return String(n)
}
