import { describe, expect, it } from 'vitest'
import { bars, outline } from './waveform'

const wave = (data: number[]) => ({ version: 2, channels: 1, sample_rate: 1000, samples_per_pixel: 100, bits: 8, length: data.length / 2, data })

describe('a waveform', () => {
  it('lies over the time it was heard in', () => {
    // Half a second, of which the second part is as loud as can be, in a clip of one second.
    const half = wave([0, 0, 0, 0, 0, 0, -128, 127, -128, 127])
    expect(bars(half, 10, 1000)).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 0])
    expect(bars(half, 2, 1000)).toEqual([1, 0])
    expect(bars(half, 5, 500)).toEqual([0, 0, 0, 1, 1])
    expect(bars(half, 20, 500).filter(Boolean)).toHaveLength(8)
    expect(bars(wave([-32, 16]), 1, 100)).toEqual([0.5])
  })
  it('is none where it cannot be read', () => {
    for (const odd of [null, 'x', {}, { data: [1] }, { ...wave([1, 1]), sample_rate: 0 }]) expect(bars(odd, 4, 1000)).toEqual([])
    expect(bars(wave([1, 1]), 4, 0)).toEqual([])
    expect(bars({ ...wave([]), data: ['x', {}] }, 1, 100)).toEqual([0])
  })
  it('is drawn around its middle', () => {
    expect(outline([1, 0])).toBe('M0.2 0.00h.6v2.00h-.6zM1.2 0.94h.6v0.12h-.6z')
  })
})
