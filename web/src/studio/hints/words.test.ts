import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { example, limits, withLimit } from './words'

const table = JSON.parse(readFileSync('../content/coaching.json', 'utf8')).rules

describe('the table of hints', () => {
  it('has words for every number that can be set', () => {
    for (const rule of table) {
      if (rule.code !== 'sideways') expect(limits(rule.when).length, rule.code).toBeGreaterThan(0)
      expect(example(rule)).not.toContain('{')
    }
  })
  it('changes one number and nothing else', () => {
    const when = [{ measure: 'light', above: 21, below: 62 }, { measure: 'level', above: -42, below: null }]
    expect(limits(when).map(l => [l.at, l.side])).toEqual([[0, 'above'], [0, 'below'], [1, 'above']])
    expect(withLimit(when, 0, 'below', 70)).toEqual([{ measure: 'light', above: 21, below: 70 }, when[1]])
  })
})
