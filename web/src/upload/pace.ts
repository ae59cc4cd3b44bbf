// How to go on after something went wrong. Pure.
import { isForLater } from './refusals'
import type { Trouble } from './state'

/** Each of these tries costs her the piece that is refused. */
const GATEWAY_MS = 120_000

/** Milliseconds between tries: quick at first, never more than ten seconds where a try costs nothing. */
export function backoff(tries: number, trouble: Trouble | null = null): number {
  if (trouble === 'gateway') return GATEWAY_MS
  return Math.min(10_000, 1000 * 2 ** Math.min(tries, 4))
}

export interface Answer {
  /** 0: none came. */
  status: number
  method: string
  /** Written by our server, which puts Tus-Resumable on every answer; a proxy's or a portal's page has none. */
  ours: boolean
  /** The code of a refusal. */
  code: string | null
}

export type Verdict = Trouble | 'too_much' | 'forgotten' | 'clip_gone' | 'signed_out' | 'refused' | 'put_off'

/**
 * What an answer means for the upload. Only our own server can refuse a file, forget it or end her session: a proxy's
 * bare 413 says something about the proxy, a portal's 200 or 404 nothing at all.
 */
export function judge({ status, method, ours, code }: Answer): Verdict {
  if (status === 0) return 'line'
  if (!ours) {
    if (status === 413) return 'too_much'
    return status < 400 || status === 407 || status === 511 ? 'portal' : 'server'
  }
  if (status === 401) return 'signed_out'
  if (isForLater(code)) return 'put_off'
  if (status === 404 && method === 'POST') return 'clip_gone'
  if (status === 404 || status === 410) return 'forgotten'
  // A creation is refused for good; bytes at a wrong offset or with a wrong sum are simply sent again from HEAD's.
  if (status === 409 && method !== 'POST') return 'server'
  if (status === 423 || status === 429 || status === 460) return 'server'
  return status >= 400 && status < 500 && code ? 'refused' : 'server'
}

export const MIN_CHUNK = 256 * 1024
export const MAX_CHUNK = 8 * 1024 * 1024
const CHUNK_SECONDS = 8

/**
 * How much goes into one request. One open-ended request is best. A proxy in between that swallows bytes without
 * passing them on leaves the server's offset where it was although much was sent: then go in pieces of about eight
 * seconds, halved each time that one fails too.
 */
export class Pacer {
  private piece = Infinity
  /** A proxy has refused more than this. */
  private most = MAX_CHUNK
  private passes = false
  private last: { id: string; from: number; sent: number; ms: number } | null = null

  /** The server's offset at the beginning of a try. Answers how much to put into one request. */
  begins(id: string, at: number): number {
    const { last } = this
    this.last = null
    if (last?.id === id && at > last.from) this.passes = true
    if (last?.id === id && at <= last.from && last.sent >= MIN_CHUNK) {
      this.piece = Number.isFinite(this.piece) ? halved(this.piece) : seconds(last.sent, last.ms)
    }
    return this.piece
  }
  /** A try broke off: where it began, what it believed to have sent, and how long it took. */
  ended(id: string, from: number, sent: number, ms: number) {
    this.last = { id, from, sent, ms }
  }
  /** A piece was acknowledged: this is the line's true rate. */
  acknowledged(bytes: number, ms: number): number {
    if (Number.isFinite(this.piece)) this.piece = Math.min(seconds(bytes, ms), this.piece * 2, this.most)
    return this.piece
  }
  /**
   * A proxy takes no request as large as that, and never will: each one that is too large costs her what it carries.
   * False: there is no smaller piece to try.
   */
  tooMuch(sent: number): boolean {
    const before = this.piece
    if (Number.isFinite(before)) this.most = this.piece = halved(before)
    else this.piece = clamped(sent / 2)
    this.last = null
    return this.piece < before
  }
  /** Worth looking whether the server gets anything: not once it has, and not where every piece is answered. */
  get unsure() {
    return !this.passes && !Number.isFinite(this.piece)
  }
  arrives() {
    this.passes = true
  }
  /** Another network has other proxies. */
  lineChanged() {
    this.piece = Infinity
    this.most = MAX_CHUNK
    this.passes = false
    this.last = null
  }
}
const clamped = (bytes: number) => Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, Math.round(bytes)))
const halved = (piece: number) => clamped(piece / 2)
const seconds = (bytes: number, ms: number) => clamped((bytes / Math.max(1, ms)) * 1000 * CHUNK_SECONDS)

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
