import { describe, expect, it } from 'vitest'
import { groupsOf, signOf, stuckOf, toCsv, weeksOf } from './progress'
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
  it('lists the longest stuck first', () => {
    const wait = (since: number) => ({ what: '等点评', since, clip_id: null })
    const progress = { trainees: [one('甲', { waiting: wait(9) }), one('乙'), one('丙', { waiting: wait(3) })] } as CohortProgress
    expect(stuckOf(progress).map(t => t.person.name)).toEqual(['丙', '甲'])
  })
  it('draws four signs', () => {
    expect((['reviewing', 'draft', 'returned', undefined] as const).map(signOf)).toEqual(['waiting', 'none', 'returned', 'none'])
  })
  it('counts weeks from the first day', () => {
    const cohort = { starts_on: '2026-11-09', ends_on: '2026-12-20' } as CohortSummary
    expect(weeksOf(cohort, new Date(2026, 10, 23, 9).getTime())).toBe('第 3 周，共 6 周')
    expect(weeksOf(cohort, new Date(2027, 0, 1).getTime())).toBe('2026年12月20日结的班')
  })
  it('exports a table that no spreadsheet runs', () => {
    const csv = toCsv({ trainees: [one('=1+1')], assignments: [{ code: 'A1', title: '', kind: '', module: '' }] } as unknown as CohortProgress, 0)
    expect(csv.split('\r\n')[1]).toBe("一组,'=1+1,龙山县,捞车村,3/45,1,0,0,,还没来过,通过")
  })
})
