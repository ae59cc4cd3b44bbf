import { describe, expect, it } from 'vitest'
import { adoptIds, merge, missing, same, toBody, total, whyNotPass, type Work, type WorkItem } from './draft'
import type { Draft, FeedbackItem, Rubric } from '../types'

const rubric: Rubric = {
  version: 'test',
  dims: [
    { code: 'topic', title: '选题与立意', weight: 60, levels: {} },
    { code: 'sound', title: '声音', weight: 40, levels: {} },
  ],
  gates: [
    { code: 'g_truth', title: '真实与广告', text: '' },
    { code: 'g_safety', title: '安全', text: '' },
  ],
}
const limits = { min_praise: 1, max_fixes: 5 }
const item = (key: string, over: Partial<WorkItem> = {}): WorkItem => ({
  key, id: null, kind: 'praise', t_start_ms: 4000, t_end_ms: null, dim: null, body: '开头好', ...over,
})
const empty: Work = { items: [], scores: {}, gates: {}, summary: '', next_step: '', outcome: null, settled: [] }
const full: Work = {
  items: [item('a')],
  scores: { topic: 4, sound: 3 },
  gates: { g_truth: true, g_safety: true },
  summary: '很稳', next_step: '再拍一条', outcome: 'pass', settled: [],
}
const words = (work: Work, open: FeedbackItem[] = []) => missing(work, rubric, open, limits).map(m => m.words)

describe('what is missing', () => {
  it('names everything of an empty draft', () => {
    expect(words(empty)).toEqual(['至少夸一句', '两项评分', '两样红线没看', '总的一句', '下一步', '通过还是再拍'])
  })
  it('is nothing when all is there', () => {
    expect(words(full)).toEqual([])
  })
  it('names the one gate that is left, and a sixth fix', () => {
    const fixes = Array.from({ length: 6 }, (_, n) => item(`f${n}`, { kind: 'fix' }))
    expect(words({ ...full, outcome: 'return', items: [item('a'), ...fixes], gates: { g_truth: true } }))
      .toEqual(['“改”多了一条', '安全没看'])
  })
  it('asks for a verdict on every open item of the version before', () => {
    const open = [{ id: 'fbi_1' }, { id: 'fbi_2' }] as FeedbackItem[]
    expect(words({ ...full, settled: [{ item_id: 'fbi_1', verdict: 'verified' }] }, open)).toEqual(['上一版一处没看'])
  })
  it('asks for something to change when she is to film again, and no scores behind a shut gate', () => {
    expect(words({ ...full, outcome: 'return', scores: {}, gates: { g_truth: false, g_safety: true } }))
      .toEqual(['再拍改哪里，写一条“改”'])
  })
  it('counts white space as nothing written', () => {
    expect(words({ ...full, summary: ' \n' })).toEqual(['总的一句'])
  })
})

describe('passing', () => {
  it('never counts an empty row as zero', () => {
    expect(total({ topic: 5 }, rubric)).toBeNull()
    expect(total({ topic: 5, sound: null }, rubric)).toBeNull()
    expect(total(full.scores, rubric)).toBe(72)
  })
  it('is barred by a must, old or new, a gate, a level of 1 or a sum below 60', () => {
    const why = (over: Partial<Work>, open: FeedbackItem[] = []) => whyNotPass({ ...full, ...over }, rubric, open)
    expect(why({})).toBeNull()
    expect(why({ items: [item('a', { kind: 'must' })] })).toMatch('必改')
    expect(why({ gates: { g_truth: false } })).toMatch('真实与广告')
    expect(why({ scores: { topic: 5, sound: 1 } })).toMatch('声音')
    expect(why({ scores: { topic: 2, sound: 3 } })).toMatch('合计 48')
    const must = [{ id: 'x', kind: 'must' }] as FeedbackItem[]
    expect(why({}, must)).toMatch('还没改好')
    expect(why({ settled: [{ item_id: 'x', verdict: 'again' }] }, must)).toMatch('还没改好')
    expect(why({ settled: [{ item_id: 'x', verdict: 'verified' }] }, must)).toBeNull()
  })
})

describe('saving', () => {
  it('sends items in order of time, trimmed, without keys', () => {
    const body = toBody({ ...full, items: [item('b', { t_start_ms: 9000 }), item('a', { body: ' 好 ' })] }, 3)
    expect(body.rev).toBe(3)
    expect(body.items.map(i => [i.t_start_ms, i.body, 'key' in i])).toEqual([[4000, '好', false], [9000, '开头好', false]])
  })
  it('gives ids to what was sent and leaves alone what was typed since', () => {
    const sent = { ...full, items: [item('a')] }
    const current = { ...full, items: [item('a', { body: '开头好，留住' }), item('b', { t_start_ms: 8000 })] }
    const saved = { items: [{ ...item('x'), id: 'fbi_1' }] } as unknown as Draft
    expect(adoptIds(current, sent, saved).items.map(i => [i.id, i.body])).toEqual([['fbi_1', '开头好，留住'], [null, '开头好']])
  })
})

describe('two windows', () => {
  const base: Work = { ...full, items: [item('a', { id: '1' }), item('b', { id: '2', t_start_ms: 8000 })] }
  it('keep what each of them changed', () => {
    const mine = { ...base, summary: '我写的', items: [item('a', { id: '1', body: '我改的' }), base.items[1]!, item('n', { t_start_ms: 1 })] }
    const theirs = { ...base, next_step: '她写的', scores: { topic: 5, sound: 3 }, items: [...base.items, item('t', { id: '3', t_start_ms: 9000 })] }
    const merged = merge(base, mine, theirs)
    expect(merged).toMatchObject({ summary: '我写的', next_step: '她写的', scores: { topic: 5, sound: 3 } })
    expect(merged.items.map(i => i.body + i.t_start_ms)).toEqual(['开头好1', '我改的4000', '开头好8000', '开头好9000'])
  })
  it('remove what either removed, unless the other wrote on it', () => {
    const mine = { ...base, items: [base.items[1]!] }
    expect(merge(base, mine, base).items.map(i => i.id)).toEqual(['2'])
    const theirs = { ...base, items: [item('a', { id: '1', body: '她改的' })] }
    expect(merge(base, mine, theirs).items.map(i => [i.id, i.body])).toEqual([['1', '她改的']])
    const written = { ...base, items: [base.items[0]!, item('b', { id: '2', t_start_ms: 8000, body: '我改的' })] }
    expect(merge(base, written, { ...base, items: [base.items[0]!] }).items.map(i => [i.id, i.body]))
      .toEqual([['1', '开头好'], [null, '我改的']])
  })
  it('agree when nothing differs', () => {
    expect(same(merge(base, base, base), base)).toBe(true)
  })
})
