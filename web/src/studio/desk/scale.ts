// The line of time under the video: everything on it shares one scale.

/** Seconds between two labels, so that at most `most` of them fit. */
export function tickStep(durationMs: number, most: number): number {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800]
  const seconds = durationMs / 1000
  return steps.find(step => seconds / step <= most) ?? 3600
}

export function ticks(durationMs: number, most: number): number[] {
  if (durationMs <= 0) return []
  const step = tickStep(durationMs, most) * 1000
  const out: number[] = []
  // the last label would hang over the edge when it stands within a third of a step of it
  for (let t = 0; t <= durationMs - step / 3; t += step) out.push(t)
  return out
}

/**
 * Marks that would cover each other are pushed apart, in order, and never beyond the ends.
 * Positions and gap are in pixels; the answer has the order of the input.
 */
export function spread(positions: readonly number[], gap: number, width: number): number[] {
  const order = positions.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at)
  const room = order.length > 1 ? Math.min(gap, width / (order.length - 1)) : gap
  for (let i = 1; i < order.length; i++) order[i]!.at = Math.max(order[i]!.at, order[i - 1]!.at + room)
  let edge = width
  for (let i = order.length - 1; i >= 0; i--) {
    order[i]!.at = Math.max(0, Math.min(order[i]!.at, edge))
    edge = order[i]!.at - room
  }
  const out = new Array<number>(positions.length)
  for (const mark of order) out[mark.index] = mark.at
  return out
}
