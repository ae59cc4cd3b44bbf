import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { refusedIcon } from './refused'

describe('a file that is not taken', () => {
  it('has a picture for each reason that the server knows', () => {
    const rules = readFileSync('../services/core/src/clip/refusal.rs', 'utf8')
    const codes = [...rules.matchAll(/^ {4}\w+ "(\w+)"$/gm)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(10)
    for (const code of codes) expect([code, refusedIcon(code)]).not.toEqual([code, 'help'])
    expect(refusedIcon('quota_day')).toBe('help')
  })
})
