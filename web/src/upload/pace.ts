// How to go on after something went wrong. Pure.

/** Seconds between tries: quick at first, never more than ten. */
export function backoff(tries: number): number {
  return Math.min(10_000, 1000 * 2 ** Math.min(tries, 4))
}

export type Verdict = 'wait' | 'forgotten' | 'signed_out' | 'refused'

/**
 * What an answer means for the upload. Only our own API, which names a code, can refuse a file:
 * a proxy's bare 413 or 502 says something about the proxy, not about the clip.
 */
export function judge(status: number, code: string | null): Verdict {
  if (status === 401) return 'signed_out'
  if (status === 404 || status === 410) return 'forgotten'
  if (status === 409 || status === 423 || status === 429) return 'wait'
  if (status >= 400 && status < 500 && code) return 'refused'
  return 'wait'
}

export const MIN_CHUNK = 256 * 1024
export const MAX_CHUNK = 8 * 1024 * 1024
const CHUNK_SECONDS = 8

/** What one try did: how far the server was before and after it, and what we believed to have sent. */
export interface Try {
  before: number
  after: number
  sent: number
  bytes_per_second: number
}

/**
 * One open-ended request is best. When a proxy in between swallows bytes without passing them on,
 * the server's offset stays where it was although much was sent: then go in pieces of about eight
 * seconds, halved each time that one fails too.
 */
export function chunkAfter(chunk: number, made: Try): number {
  const swallowed = made.after <= made.before && made.sent >= MIN_CHUNK
  if (!swallowed) return chunk
  if (Number.isFinite(chunk)) return Math.max(MIN_CHUNK, Math.floor(chunk / 2))
  return Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, Math.round(made.bytes_per_second * CHUNK_SECONDS)))
}

/** Bytes per second over the last seconds, from what was sent and when. */
export class Speed {
  private marks: { at: number; bytes: number }[] = []
  constructor(private readonly span_ms = 12_000) {}
  mark(at: number, bytes: number) {
    this.marks.push({ at, bytes })
    while (this.marks.length > 2 && at - this.marks[0].at > this.span_ms) this.marks.shift()
  }
  reset() {
    this.marks = []
  }
  get perSecond(): number {
    const [first, last] = [this.marks[0], this.marks[this.marks.length - 1]]
    if (!first || last.at - first.at < 1000) return 0
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1000)
  }
}
