import { expect, it } from 'vitest'
import { groupsOf, leftWords, todayCode, waited } from './door'
import type { JoinSeat } from '../types'

const seat = (id: string, group_no: number | null, arrived_at: number | null): JoinSeat => ({
  person: { id, name: '向春桃', village: '比耳村', county: '龙山县', avatar_char: '桃' }, group_no, seat_no: null, arrived_at,
})

it('puts seats together by group, with how many have come', () => {
  const groups = groupsOf([seat('a', 1, 5), seat('b', 1, null), seat('c', 2, null), seat('d', null, 7)])
  expect(groups.map(g => [g.no, g.seats.length, g.arrived])).toEqual([[1, 2, 1], [2, 1, 0], [null, 1, 1]])
})

it('calls a door by the day in China', () => {
  expect(todayCode(new Date('2026-06-15T16:30:00Z'))).toBe('0616')
  expect(todayCode(new Date('2026-01-01T03:00:00Z'))).toBe('0101')
})

it('says how long a door stays open', () => {
  expect(leftWords(30_000, 0)).toContain('30 秒')
  expect(leftWords(-5, 0)).toContain('0 秒')
  expect(leftWords(29.5 * 60_000, 0)).toContain('29 分钟')
  expect(leftWords(125 * 60_000, 0)).toContain('2 小时 5 分')
  expect(leftWords(120 * 60_000, 0)).toContain('2 小时，')
})

it('says how long somebody has waited', () => {
  expect([waited(0, 30_000), waited(0, 185_000)]).toEqual(['刚来', '等了 3 分钟'])
})
