// What is said of a door and the seats behind it.
import type { JoinSeat } from '../types'

export const arrivedOf = (seats: JoinSeat[]) => seats.filter(seat => seat.arrived_at).length

export interface Group {
  no: number | null
  seats: JoinSeat[]
  arrived: number
}

/** By group as they come, whoever has none last. */
export function groupsOf(seats: JoinSeat[]): Group[] {
  const groups = new Map<number | null, JoinSeat[]>()
  for (const seat of seats) groups.set(seat.group_no, [...(groups.get(seat.group_no) ?? []), seat])
  return [...groups].map(([no, seats]) => ({ no, seats, arrived: arrivedOf(seats) }))
}

/** The code that a door gets by itself: this month and day in China. */
export function todayCode(now: Date): string {
  const china = new Date(now.getTime() + 8 * 3_600_000)
  return `${String(china.getUTCMonth() + 1).padStart(2, '0')}${String(china.getUTCDate()).padStart(2, '0')}`
}

/** 还开 12 分钟, 还开 40 秒, 还开 2 小时 5 分 */
export function leftWords(closesAt: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((closesAt - now) / 1000))
  if (seconds < 60) return `还开 ${seconds} 秒，就自己关上。`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `还开 ${minutes} 分钟，到时自己关上。`
  const rest = minutes % 60
  return `还开 ${Math.floor(minutes / 60)} 小时${rest ? ` ${rest} 分` : ''}，到时自己关上。`
}

/** 刚来, 等了 3 分钟 */
export function waited(since: number, now: number): string {
  const minutes = Math.floor((now - since) / 60_000)
  return minutes < 1 ? '刚来' : `等了 ${minutes} 分钟`
}
