// How loud a film is where it is loudest, from a few seconds of it.
import type { Aac } from './mp4'

const RATE = 16_000
const PLACES = [0.1, 0.35, 0.6, 0.85]
const FREQUENCIES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]

/** In dBFS; null: this phone cannot decode it. */
export async function loudest(file: Blob, aac: Aac): Promise<number | null> {
  const second = Math.ceil(FREQUENCIES[aac.frequency] / 1024)
  const parts: BlobPart[] = []
  for (const place of PLACES) {
    const from = Math.floor(aac.frames.length * place)
    for (const { at, size } of aac.frames.slice(from, from + second)) parts.push(adts(aac, size), file.slice(at, at + size))
  }
  const bytes = await new Blob(parts).arrayBuffer()
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes).catch(() => null)
  return decoded && decibels(decoded.getChannelData(0), RATE)
}

/** The header that makes a bare frame of an MP4 one of a stream (ISO 13818-7). */
function adts({ frequency, channels }: Aac, size: number): Uint8Array<ArrayBuffer> {
  const length = size + 7
  return new Uint8Array([
    0xff, 0xf1, (1 << 6) | (frequency << 2) | (channels >> 2), ((channels & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc,
  ])
}

/** The loudest 50 ms, as the root of the mean square. */
export function decibels(samples: Float32Array, rate: number): number {
  const span = Math.floor(rate / 20)
  let most = 0
  for (let from = 0; from + span <= samples.length; from += span) {
    let sum = 0
    for (let k = from; k < from + span; k++) sum += samples[k] * samples[k]
    most = Math.max(most, sum / span)
  }
  return most > 0 ? 10 * Math.log10(most) : -Infinity
}
