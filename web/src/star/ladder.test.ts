import { expect, it } from 'vitest'
import { haveWords, share, woven } from './ladder'

const need = (have: number | null, needed: number, met = false) => ({ have, needed, met, unit: '条' })

it('weaves what is there and leaves bare what nobody registered', () => {
  expect(share(need(19, 24))).toBeCloseTo(0.79, 2)
  expect(share(need(null, 24))).toBe(0)
  expect(share(need(30, 24, true))).toBe(1)
  expect(share(need(24, 24))).toBe(0.99)
})
it('climbs a fifth for each star', () => {
  expect(woven({ level: 0, next: { criteria: [] } })).toBe(0)
  expect(woven({ level: 1, next: { criteria: [need(12, 24), need(24, 24, true)] } })).toBe(35)
  expect(woven({ level: 5, next: null })).toBe(100)
})
it('says how much there is', () => {
  expect(haveWords(need(19, 24))).toBe('有 19 条，要 24 条')
  expect(haveWords(need(0, 1))).toBe('还没有，要 1 条')
  expect(haveWords(need(null, 1))).toBe('还没登记')
})
