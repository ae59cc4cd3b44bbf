import { describe, expect, it } from 'vitest'
import { spread, ticks, tickStep } from './scale'

describe('scale', () => {
  it('chooses round steps', () => {
    expect(tickStep(58_000, 6)).toBe(10)
    expect(ticks(58_000, 6)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000])
    expect(ticks(0, 6)).toEqual([])
  })
  it('leaves marks where they are when there is room', () => {
    expect(spread([100, 10, 300], 24, 1000)).toEqual([100, 10, 300])
  })
  it('pushes marks of one second apart, in order', () => {
    expect(spread([50, 50, 55], 24, 1000)).toEqual([50, 74, 98])
  })
  it('keeps them on the line', () => {
    expect(spread([990, 1000], 24, 1000)).toEqual([976, 1000])
  })
})
