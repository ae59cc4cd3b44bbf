// How things are said: sizes, times, dates and numbers, as a neighbour would say them.

export function mb(bytes: number): string {
  const n = bytes / 1_000_000
  if (n >= 1000) return trim(n / 1000) + ' GB'
  return (n > 0 && n < 0.1 ? '0.1' : n >= 100 ? String(Math.round(n)) : trim(n)) + ' MB'
}
function trim(n: number) {
  return n.toFixed(1).replace(/\.0$/, '')
}

/** 0:12, 12:03, 1:02:03 */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  const two = (n: number) => String(n).padStart(2, '0')
  const h = Math.floor(s / 3600)
  return (h ? `${h}:${two(Math.floor(s / 60) % 60)}` : String(Math.floor(s / 60))) + ':' + two(s % 60)
}

/** 第 12 秒, 第 1 分 5 秒 */
export function atSecond(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  return s < 60 ? `第 ${s} 秒` : `第 ${Math.floor(s / 60)} 分 ${s % 60} 秒`
}

/** How long a film is, to the second, as its player counts: 12 秒, 6 分 40 秒, 2 分钟, 1 小时 5 分. */
export function lengthWords(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  const [h, min, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60]
  if (h) return min ? `${h} 小时 ${min} 分` : `${h} 小时`
  if (!min) return `${Math.max(1, rest)} 秒`
  return rest ? `${min} 分 ${rest} 秒` : `${min} 分钟`
}

/** How long something still takes: 20 秒, 3 分钟, 2 小时. */
export function lasting(ms: number): string {
  const s = Math.max(1, Math.round(ms / 1000))
  if (s < 55) return `${s < 10 ? s : Math.ceil(s / 5) * 5} 秒`
  const min = Math.round(s / 60)
  return min < 90 ? `${Math.max(1, min)} 分钟` : `${trim(min / 60)} 小时`
}

const two = (n: number) => String(n).padStart(2, '0')
export function hourMinute(at: number): string {
  const d = new Date(at)
  return `${d.getHours()}:${two(d.getMinutes())}`
}

/** 刚刚, 8 分钟前, 今天 14:32, 昨晚 21:40, 9月3日 8:05, 2025年9月3日 */
export function when(at: number, now: number): string {
  const past = now - at
  if (past < 60_000 && past > -60_000) return '刚刚'
  if (past > 0 && past < 3_600_000) return `${Math.floor(past / 60_000)} 分钟前`
  const d = new Date(at)
  const day = (t: number) => new Date(new Date(t).setHours(0, 0, 0, 0)).getTime()
  const days = Math.round((day(now) - day(at)) / 86_400_000)
  const time = hourMinute(at)
  if (days === 0) return `今天 ${time}`
  if (days === 1) return `${d.getHours() >= 18 ? '昨晚' : '昨天'} ${time}`
  if (days === -1) return `明天 ${time}`
  if (days === -2) return `后天 ${time}`
  const date = `${d.getMonth() + 1}月${d.getDate()}日`
  return d.getFullYear() === new Date(now).getFullYear() ? `${date} ${time}` : `${d.getFullYear()}年${date}`
}

/** '2026-09-30' -> 2026年9月30日 */
export function dateWords(on: string): string {
  const [y, m, d] = on.split('-').map(Number)
  return y && m && d ? `${y}年${m}月${d}日` : on
}

const DIGITS = '零一二三四五六七八九'
/** 3 -> 三, 12 -> 十二, 49 -> 四十九; beyond 99 the digits themselves. */
export function inChinese(n: number): string {
  if (!Number.isInteger(n) || n < 0 || n > 99) return String(n)
  const [tens, ones] = [Math.floor(n / 10), n % 10]
  if (!tens) return DIGITS[ones]
  return (tens === 1 ? '' : DIGITS[tens]) + '十' + (ones ? DIGITS[ones] : '')
}
/** Before a measure word: 两样, not 二样. */
export function counted(n: number): string {
  return n === 2 ? '两' : inChinese(n)
}

export function greeting(hour: number): string {
  if (hour < 5) return '夜深了'
  if (hour < 11) return '早上好'
  if (hour < 13) return '中午好'
  return hour < 18 ? '下午好' : '晚上好'
}

/** What she is called: the given name of a three-character name, otherwise all of it. */
export function givenName(name: string): string {
  return /^[\u4e00-\u9fff]{3}$/.test(name) ? name.slice(1) : name
}
