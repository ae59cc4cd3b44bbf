// Before and after: which seconds stand side by side. Pure.
import type { ComparedPoint } from '@/api/types'

/** What was said of a moment holds for so long, unless it says how long. */
const LASTS = 4000
const SHORTEST = 1500

export interface Stretch {
  from: number
  until: number
}

/** The seconds of the earlier version that a piece is about. */
export function beforeOf(point: ComparedPoint, length: number): Stretch {
  const until = Math.min(length, point.before_end_ms ?? point.before_ms + LASTS)
  return { from: Math.max(0, Math.min(point.before_ms, until - SHORTEST)), until }
}

/** As many of the later one, from where it lies there. */
export function afterOf(at: number, length: number, before: Stretch): Stretch {
  const until = Math.min(length, at + before.until - before.from)
  return { from: Math.max(0, Math.min(at, until - SHORTEST)), until }
}

/** What asks for a change comes first, in order of time; what was only praised is not compared. */
export function toCompare(points: readonly ComparedPoint[]): ComparedPoint[] {
  return points.filter((point) => point.item.kind === 'fix' || point.item.kind === 'must')
}

/** A second earlier or later, within the film. */
export function nudged(at: number, by: number, length: number): number {
  return Math.max(0, Math.min(length, at + by))
}
