// What is worth saying about a film before it costs her data. Pure. Nothing here forbids anything.
import { lengthWords } from '@/shared/words'

export interface Seen {
  /** Null is "could not be seen", about which nothing is said. */
  duration_ms: number | null
  sideways: boolean | null
  /** False: there is nothing to see in it, only to hear. */
  picture: boolean | null
  /** How bright the brighter parts of a few pictures are, 0 to 255. */
  lights: number[]
  /** The loudest moment in dBFS; 'none' when there is no sound at all. */
  sound: number | 'none' | null
}

export type Finding = 'over_limit' | 'no_picture' | 'too_short' | 'too_long' | 'sideways' | 'dark' | 'no_sound' | 'no_voice'

export interface Span {
  least_s: number
  most_s: number
}

/** The worker takes no more (`media-worker/src/probe.rs`). */
export const MOST_MS = 10 * 60_000
/** A room at night with one lamp reaches about 90, a phone in a pocket 20. */
const DARK = 56
/** A quiet room as a phone's microphone hears it is about -55 dBFS, a voice at arm's length -30 or more. */
const QUIET = -45
/** A second more or less is the mentor's to judge. */
const SHORT = 0.8
const LONG = 1.25

/** "短视频 20–40 秒", "短视频 ≤60 秒"; null where the assignment names no length. */
export function spanOf(kind: string): Span | null {
  const between = /(\d+)\s*[–—~～至到-]\s*(\d+)\s*秒/.exec(kind)
  if (between) return { least_s: Number(between[1]), most_s: Number(between[2]) }
  const most = /[≤<]\s*(\d+)\s*秒/.exec(kind)
  return most && { least_s: 0, most_s: Number(most[1]) }
}

/** The gravest first. */
export function findings(seen: Seen, span: Span | null): Finding[] {
  const found: Finding[] = []
  const s = seen.duration_ms === null ? null : seen.duration_ms / 1000
  if (s !== null && s * 1000 > MOST_MS) found.push('over_limit')
  if (seen.picture === false) found.push('no_picture')
  if (seen.sound === 'none') found.push('no_sound')
  else if (seen.sound !== null && seen.sound < QUIET) found.push('no_voice')
  if (seen.lights.length > 0 && seen.lights.every((light) => light < DARK)) found.push('dark')
  if (seen.sideways) found.push('sideways')
  if (s !== null && span && s < span.least_s * SHORT) found.push('too_short')
  if (s !== null && span && s > span.most_s * LONG && s * 1000 <= MOST_MS) found.push('too_long')
  return found
}

/** What is the matter, and what helps. */
export function findingWords(finding: Finding, seen: Seen, span: Span | null): string {
  const long = lengthWords(seen.duration_ms ?? 0)
  switch (finding) {
    case 'over_limit':
      return `这条有 ${long}，超过 10 分钟老师那边收不下。剪短一些再传。`
    case 'no_picture':
      return '这条只有声音，没有画面。换一条有画面的。'
    case 'no_sound':
      return '这条没有声音。看看是不是剪的时候关了声音，或者换一条。'
    case 'no_voice':
      return '这条听不到人声。手机离近一尺，再说一遍试试。'
    case 'dark':
      return '这条太暗，看不清人。到门口亮的地方，脸朝着光再拍。'
    case 'sideways':
      return '这条是横着的。竖起来拍，村里人看着更大。'
    case 'too_short':
      return `这条 ${long}，${spanWords(span)}。再多说两句就够了。`
    case 'too_long':
      return `这条 ${long}，${spanWords(span)}。挑要紧的说，剪短一点。`
  }
}
const spanWords = (span: Span | null) => (span?.least_s ? `这个作业要 ${span.least_s} 到 ${span.most_s} 秒` : `这个作业最多 ${span?.most_s} 秒`)
