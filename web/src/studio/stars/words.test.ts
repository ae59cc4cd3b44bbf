import { describe, expect, it } from 'vitest'
import { inNeed, plainSource, sentenceOf } from './words'
import type { Criterion, StarEvaluation } from '../types'

const criterion = (code: string, have: number | null, met: boolean): Criterion =>
  ({ code, title: code, needed: 8, unit: '条', have, met, words: '', source: '' })

describe('stars', () => {
  it('put what is lacking first and what was never recorded after it', () => {
    const order = inNeed([criterion('met', 9, true), criterion('unknown', null, false), criterion('short', 3, false)])
    expect(order.map(c => c.code)).toEqual(['short', 'unknown', 'met'])
  })
  it('name a source without ids', () => {
    expect(plainSource('抖音，2026-11-23 登记的数字（snap_01m84s168xe3mrn4kt7cxh63x8）')).toBe('抖音，2026-11-23 登记的数字')
  })
  it('say where she stands in one sentence', () => {
    const level = (n: number, criteria: Criterion[]) => ({ level: n, title: '', met: criteria.every(c => c.met), criteria })
    const evaluation = {
      current_level: 0, reachable_level: 1,
      levels: [level(1, [criterion('a', 9, true)]), level(2, [criterion('a', 3, false), criterion('b', null, false)])],
    } as unknown as StarEvaluation
    expect(sentenceOf(evaluation)).toBe('现在还没有星，证据够评一星，离二星还差两样。')
    expect(sentenceOf({ ...evaluation, current_level: 1 })).toBe('现在一星，离二星还差两样。')
  })
})
