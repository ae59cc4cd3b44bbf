// How loud a clip is, as bars on its time line. Read as audiowaveform writes it in JSON: pairs of lowest and highest
// sample, 8 bits each.

/** Heights from 0 to 1 over the whole length; none for what cannot be read. */
export function bars(wave: unknown, many: number, length_ms: number): number[] {
  const { sample_rate, samples_per_pixel, data } = (wave ?? {}) as Record<string, unknown>
  if (!Array.isArray(data) || !(Number(sample_rate) > 0) || !(Number(samples_per_pixel) > 0) || !(length_ms > 0)) return []
  const points = data.length >> 1
  const each = ((length_ms / 1000) * Number(sample_rate)) / Number(samples_per_pixel) / many
  return Array.from({ length: many }, (_, n) => {
    let peak = 0
    const end = Math.min(points, Math.max(Math.floor(n * each) + 1, Math.floor((n + 1) * each)))
    for (let i = Math.floor(n * each); i < end; i++) {
      peak = Math.max(peak, Math.abs(Number(data[2 * i])), Math.abs(Number(data[2 * i + 1])))
    }
    // Ears hear loudness so, roughly: a quiet voice is still seen.
    return Number.isFinite(peak) ? Math.min(1, Math.sqrt(peak / 128)) : 0
  })
}

/** The bars as one path, each one wide and two high at most, around a middle at 1. */
export function outline(heights: readonly number[]): string {
  return heights.map((height, n) => {
    const half = Math.max(height, 0.06)
    return `M${n + 0.2} ${(1 - half).toFixed(2)}h.6v${(2 * half).toFixed(2)}h-.6z`
  }).join('')
}
