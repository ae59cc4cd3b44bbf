import { describe, expect, it, vi } from 'vitest'
import { brighterParts } from './frames'
import { isNoFilm, kindIn, kindOf, kindWords } from './kind'
import { movieOf, readMovie } from './mp4'
import { within } from './patience'
import { decibels } from './sound'
import { findings, findingWords, spanOf, type Seen } from './verdict'

const good: Seen = { duration_ms: 30_000, sideways: false, picture: true, lights: [180, 40, 200], sound: -18 }
const span = { least_s: 20, most_s: 40 }

describe('what is worth saying before it goes', () => {
  it('is nothing about a good film, and nothing about what could not be seen', () => {
    expect(findings(good, span)).toEqual([])
    expect(findings({ duration_ms: null, sideways: null, picture: null, lights: [], sound: null }, span)).toEqual([])
  })
  it('finds the gravest first', () => {
    const bad: Seen = { duration_ms: 4000, sideways: true, picture: true, lights: [10, 12], sound: 'none' }
    expect(findings(bad, span)).toEqual(['no_sound', 'dark', 'sideways', 'too_short'])
  })
  it('says that there is nothing to see only where that is known', () => {
    expect(findings({ ...good, sideways: null, picture: false }, span)).toEqual(['no_picture'])
    expect(findings({ ...good, picture: null }, span)).toEqual([])
  })
  it('calls a film dark only when no picture of it is bright', () => {
    expect(findings({ ...good, lights: [20, 55.9, 30] }, null)).toEqual(['dark'])
    expect(findings({ ...good, lights: [20, 56, 30] }, null)).toEqual([])
  })
  it('hears a voice from -45 dBFS on', () => {
    expect(findings({ ...good, sound: -45.1 }, null)).toEqual(['no_voice'])
    expect(findings({ ...good, sound: -45 }, null)).toEqual([])
    expect(findings({ ...good, sound: -Infinity }, null)).toEqual(['no_voice'])
  })
  it('leaves a second more or less to the mentor', () => {
    const lasts = (s: number) => findings({ ...good, duration_ms: s * 1000 }, span)
    expect([15.9, 16, 50, 50.1].map(lasts)).toEqual([['too_short'], [], [], ['too_long']])
    expect(findings({ ...good, duration_ms: 5000 }, null)).toEqual([])
    expect(lasts(601)).toEqual(['over_limit'])
  })
  it('reads what an assignment asks for', () => {
    expect(spanOf('短视频 20–40 秒')).toEqual(span)
    expect(spanOf('短视频 ≤60 秒')).toEqual({ least_s: 0, most_s: 60 })
    expect([spanOf('短视频 3 条'), spanOf('表单＋短视频')]).toEqual([null, null])
  })
  it('says it in one breath, and what helps', () => {
    expect(findingWords('too_short', { ...good, duration_ms: 8000 }, span)).toBe('这条 8 秒，这个作业要 20 到 40 秒。再多说两句就够了。')
    expect(findingWords('too_long', { ...good, duration_ms: 130_000 }, { least_s: 0, most_s: 60 })).toBe('这条 2 分 10 秒，这个作业最多 60 秒。挑要紧的说，剪短一点。')
    for (const finding of ['over_limit', 'no_picture', 'no_sound', 'no_voice', 'dark', 'sideways', 'too_short', 'too_long'] as const) {
      expect(findingWords(finding, good, span)).not.toMatch(/错误|失败|！|您/)
    }
  })
})

describe('what a file is by its first bytes', () => {
  const bytes = (...parts: (string | number)[]) => new Uint8Array(parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : part)))
  const kind = (...parts: (string | number)[]) => kindIn(bytes(...parts))
  const ftyp = (brand: string) => kind(0, 0, 0, 24, 'ftyp', brand, 0, 0, 0, 0)
  it('knows what is surely no film', () => {
    expect(kind(0xff, 0xd8, 0xff, 0xe1, 0x2a, 0x40, 'Exif')).toBe('photo')
    expect(kind(0x89, 'PNG', 13, 10, 26, 10)).toBe('photo')
    expect([kind('GIF89a', 1, 2, 3), kind('RIFF', 0xa0, 9, 0, 0, 'WEBPVP8 ')]).toEqual(['photo', 'photo'])
    expect(['heic', 'heix', 'mif1', 'avif'].map(ftyp)).toEqual(Array(4).fill('photo'))
    expect([kind('%PDF-1.7', 10, 0x25), kind('PK', 3, 4, 20, 0)]).toEqual(['document', 'document'])
    for (const each of ['empty', 'photo', 'document'] as const) expect([isNoFilm(each), kindWords(each)]).toEqual([true, expect.stringMatching(/选/)])
  })
  it('leaves every film, and all that it does not know, to the server', () => {
    expect(['isom', 'mp42', 'qt  ', '3gp4', 'M4V ', 'hevc'].map(ftyp)).toEqual(Array(6).fill('unknown'))
    expect([kind(0, 0, 0, 8, 'wide', 0, 0, 0, 8, 'mdat'), kind(0x1a, 0x45, 0xdf, 0xa3, 1)]).toEqual(['unknown', 'unknown'])
    expect([kind('RIFF', 0x20, 0x20, 0x20, 0x20, 'AVI LIST'), kind('FLV', 1, 5, 0, 0, 0, 9)]).toEqual(['unknown', 'unknown'])
    expect(isNoFilm('unknown')).toBe(false)
  })
  it('says that text looks like text, and lets it go', () => {
    expect(kind('今天拍了一条')).toBe('text')
    expect([isNoFilm('text'), kindWords('text')]).toEqual([false, expect.stringContaining('照样能传')])
  })
  it('reads no more than it needs, and an empty file not at all', async () => {
    expect(await kindOf(new Blob([]))).toBe('empty')
    expect(await kindOf(new Blob([bytes('%PDF-1.7', 10)]))).toBe('document')
  })
})

it('keeps nobody waiting for what hangs or fails', async () => {
  vi.useFakeTimers()
  const hanging = within(3000, new Promise<string>(() => undefined), 'enough')
  const seen = within(3000, Promise.resolve('seen'), 'enough')
  const failed = within(3000, Promise.reject(new Error('unreadable')), 'enough')
  await vi.advanceTimersByTimeAsync(2999)
  expect(await Promise.race([hanging, Promise.resolve('waiting')])).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1)
  expect([await hanging, await seen, await failed]).toEqual(['enough', 'seen', 'enough'])
  vi.useRealTimers()
})

it('measures the brighter parts of a picture', () => {
  const pixels = (...grey: number[]) => new Uint8ClampedArray(grey.flatMap((v) => [v, v, v, 255]))
  expect(brighterParts(pixels(...Array(9).fill(10), 200))).toBeCloseTo(200)
  expect(brighterParts(pixels(...Array(19).fill(10), 200))).toBeCloseTo(10)
})

it('measures the loudest moment', () => {
  const tone = new Float32Array(1600).map((_, k) => (k < 800 ? 0 : Math.sin(k) * 0.1))
  expect(decibels(tone, 16_000)).toBeCloseTo(-23, 0)
  expect(decibels(new Float32Array(1600), 16_000)).toBe(-Infinity)
})

describe('the index of an MP4', () => {
  const u32 = (...n: number[]) => n.flatMap((v) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255])
  const box = (type: string, ...body: number[][]): number[] => {
    const inside = body.flat()
    return [...u32(inside.length + 8), ...[...type].map((c) => c.charCodeAt(0)), ...inside]
  }
  const zeros = (n: number) => Array<number>(n).fill(0)
  const mvhd = box('mvhd', u32(0, 0, 0, 1000, 8000), zeros(80))
  const matrix = (a: number, b: number, c: number, d: number) => u32(a, b, 0, c, d, 0, 0, 0, 0x40000000)
  const video = (...m: [number, number, number, number]) =>
    box('trak', box('tkhd', u32(0), zeros(36), matrix(...m), u32(1920 << 16, 1080 << 16)), box('mdia', box('hdlr', u32(0, 0), [...'vide'].map((c) => c.charCodeAt(0)))))
  // AAC-LC, 44.1 kHz, mono: two chunks, of two frames and of one.
  const esds = box('esds', u32(0), [3, 25, 0, 0, 0, 4, 17], zeros(13), [5, 2, 0x12, 0x08])
  const soundOf = (stsz: number[], stsc: number[]) => {
    const stbl = box('stbl', box('stsd', u32(0, 1), box('mp4a', zeros(28), esds)), stsz, stsc, box('stco', u32(0, 2, 100, 500)))
    return box('trak', box('mdia', box('hdlr', u32(0, 0), [...'soun'].map((c) => c.charCodeAt(0))), box('minf', stbl)))
  }
  const sound = soundOf(box('stsz', u32(0, 0, 3, 10, 20, 30)), box('stsc', u32(0, 2, 1, 2, 1, 2, 1, 1)))
  const view = (...inside: number[][]) => new DataView(new Uint8Array(inside.flat()).buffer)

  it('tells length, way up and sound', () => {
    const upright = movieOf(view(mvhd, video(0, 0x10000, -0x10000, 0), sound))!
    expect(upright).toMatchObject({ duration_ms: 8000, width: 1080, height: 1920, has_sound: true })
    expect(upright.aac).toEqual({ frequency: 4, channels: 1, frames: [{ at: 100, size: 10 }, { at: 110, size: 20 }, { at: 500, size: 30 }] })
    expect(movieOf(view(mvhd, video(0x10000, 0, 0, 0x10000)))).toMatchObject({ width: 1920, height: 1080, has_sound: false, aac: null })
  })
  it('does not keep the phone busy when it is damaged', async () => {
    const most = 0xffff_ffff
    const endless = soundOf(box('stsz', u32(0, 7, most)), box('stsc', u32(0, 1, 1, most, 1)))
    expect(movieOf(view(mvhd, endless))!.aac!.frames.length).toBeLessThan(1_000_000)
    const crumbs = new Blob([new Uint8Array(box('ftyp', zeros(8))), ...Array(20_000).fill(new Uint8Array(box('free')))])
    const began = Date.now()
    expect(await readMovie(crumbs)).toBe(null)
    expect(Date.now() - began).toBeLessThan(2000)
  })
  it('is found behind the film, and not in what is none', async () => {
    const whole = [...box('ftyp', zeros(8)), ...box('mdat', zeros(100)), ...box('moov', mvhd, video(0x10000, 0, 0, 0x10000))]
    expect(await readMovie(new Blob([new Uint8Array(whole)]))).toMatchObject({ duration_ms: 8000, width: 1920 })
    expect(await readMovie(new Blob([new Uint8Array(whole.slice(0, -5))]))).toBe(null)
    expect(await readMovie(new Blob(['这不是片子'.repeat(9)]))).toBe(null)
    expect(await readMovie(new Blob([]))).toBe(null)
  })
})
