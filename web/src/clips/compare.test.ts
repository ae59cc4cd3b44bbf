import { expect, it } from 'vitest'
import type { ComparedPoint } from '@/api/types'
import { carried } from '@/shared/carried'
import { afterOf, beforeOf, nudged, toCompare } from './compare'

const point = (before_ms: number, before_end_ms: number | null = null, kind = 'fix') =>
  ({ before_ms, before_end_ms, after_ms: before_ms, guessed: true, item: { kind } }) as unknown as ComparedPoint

it('shows a few seconds of each, never beyond the end', () => {
  expect(beforeOf(point(12_000), 30_000)).toEqual({ from: 12_000, until: 16_000 })
  expect(beforeOf(point(12_000, 14_000), 30_000)).toEqual({ from: 12_000, until: 14_000 })
  expect(beforeOf(point(29_900), 30_000)).toEqual({ from: 28_500, until: 30_000 })
  expect(beforeOf(point(500), 1000)).toEqual({ from: 0, until: 1000 })
  const before = { from: 12_000, until: 14_000 }
  expect(afterOf(20_000, 60_000, before)).toEqual({ from: 20_000, until: 22_000 })
  expect(afterOf(60_000, 60_000, before)).toEqual({ from: 58_500, until: 60_000 })
})

it('compares what asks for a change', () => {
  expect(toCompare([point(1, null, 'praise'), point(2), point(3, null, 'must'), point(4, null, 'question')]).map((p) => p.before_ms)).toEqual([2, 3])
})

it('moves by a second and stays in the film', () => {
  expect([nudged(500, -1000, 9000), nudged(8500, 1000, 9000), nudged(4000, 1000, 9000)]).toEqual([0, 9000, 5000])
})

it('lies as far into the next version, as the server reckons it', () => {
  expect([carried(12_000, 30_000, 60_000), carried(40_000, 30_000, 15_000), carried(12_000, null, 15_000), carried(12_000, 0, 15_000)]).toEqual([24_000, 15_000, 12_000, 12_000])
})
