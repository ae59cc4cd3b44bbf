import { describe, expect, it } from 'vitest'
import { groupsOf, signOf, stuckOf, weeksOf } from './progress'
import type { CohortProgress, CohortSummary, TraineeProgress } from '../types'

const one = (name: string, over: Partial<TraineeProgress> = {}): TraineeProgress => ({
  person: { id: name, name, village: '捞车村', county: '龙山县', avatar_char: name[0]! },
  group_no: 1, seat_no: null, state: 'active', lessons_done: 3, lessons_total: 45,
  marks: { A1: { state: 'passed', since: 1, clip_id: null } }, waiting: null, last_active_at: null, star_level: null, ...over,
})

describe('cohort', () => {
  it('seats people by group, those without one last, and leaves out who left', () => {
    const groups = groupsOf([one('丙', { group_no: null }), one('乙', { seat_no: 2 }), one('甲', { seat_no: 1 }), one('丁', { state: 'withdrawn' })])
    expect(groups.map(g => [g.name, g.trainees.map(t => t.person.name).join('')])).toEqual([['一组', '甲乙'], ['没分组', '丙']])
  })
  it('calls stuck what a promise, a return or a silence has left lying, the longest first', () => {
    const now = new Date(2026, 10, 23, 9).getTime()
    const ago = (days: number) => now - days * 86_400_000
    const mark = (state: 'submitted' | 'returned', days: number) => ({ A4: { state, since: ago(days), clip_id: null } })
    const here = { last_active_at: ago(1) }
    const trainees = [
      one('等', { ...here, marks: mark('submitted', 2.5) }), one('刚交', { ...here, marks: mark('submitted', 1) }),
      one('退', { ...here, marks: mark('returned', 6) }), one('刚退', { ...here, marks: mark('returned', 2) }),
      one('静', { last_active_at: ago(8) }), one('没来'), one('结业', { state: 'graduated' }),
    ]
    const stuck = (starts_on: string) => stuckOf({ cohort: { starts_on }, trainees } as CohortProgress, now)
    expect(stuck('2026-11-09').map(s => [s.one.person.name, s.label]))
      .toEqual([['没来', '没来过'], ['静', '8 天没来'], ['退', '退了没交'], ['等', '等太久']])
    expect(stuck('2026-11-22').map(s => s.one.person.name)).not.toContain('没来')
  })
  it('draws four signs', () => {
    expect((['reviewing', 'draft', 'returned', undefined] as const).map(signOf)).toEqual(['waiting', 'none', 'returned', 'none'])
  })
  it('counts weeks from the first day', () => {
    const cohort = { starts_on: '2026-11-09', ends_on: '2026-12-20' } as CohortSummary
    expect(weeksOf(cohort, new Date(2026, 10, 23, 9).getTime())).toBe('第 3 周，共 6 周')
    expect(weeksOf(cohort, new Date(2027, 0, 1).getTime())).toBe('2026年12月20日结的班')
  })
})
