import { describe, expect, it } from 'vitest'
import { backoff, chunkAfter, judge, MIN_CHUNK, Speed } from './pace'
import { fits, nextToSend, step, stillToSend, type Draft } from './state'
import { costWords, titleFor } from './before'
import { restingNote, told } from './words'

const draft = (with_: Partial<Draft> = {}): Draft => ({
  id: 'd1', owner: 'usr_1', title: '村里的打鼓队', assignment: null, clip: null, filename: 'a.mp4', filetype: 'video/mp4',
  size: 30_000_000, made_at: 1, stored: 'opfs', wifi_only: false, phase: 'queued', since: 1, offset: 0, url: null,
  clip_id: null, version_id: null, refusal: null, what_next: null, cancelled_at: null, ...with_,
})
const around = { ahead: 0, bytes_per_second: 0, resumed: false }

describe('the way of a file', () => {
  it('goes from the queue to the mentor, keeping when each phase began', () => {
    let d = step(draft(), { type: 'start' }, 10)
    d = step(d, { type: 'created', url: '/u/1', clip_id: 'clp_1', version_id: 'ver_1' }, 11)
    d = step(d, { type: 'progress', offset: 5 }, 12)
    expect(d).toMatchObject({ phase: 'sending', since: 10, offset: 5, url: '/u/1', clip_id: 'clp_1' })
    d = step(d, { type: 'cut' }, 20)
    d = step(d, { type: 'cut' }, 30)
    expect(d).toMatchObject({ phase: 'no_signal', since: 20, offset: 5 })
    d = step(d, { type: 'sent' }, 40)
    expect(d).toMatchObject({ phase: 'preparing', offset: d.size })
    d = step(d, { type: 'ready', what_next: '交给老师' }, 50)
    expect(d).toMatchObject({ phase: 'arrived', since: 50, what_next: '交给老师' })
  })
  it('starts anew when the server no longer knows the upload, as the same clip', () => {
    const d = step(draft({ url: '/u/1', clip_id: 'clp_1', offset: 9, phase: 'no_signal' }), { type: 'forgotten' }, 5)
    expect(d).toMatchObject({ url: null, offset: 0, clip_id: 'clp_1' })
  })
  it('can be taken away and put back', () => {
    const gone = step(draft({ phase: 'sending' }), { type: 'cancel' }, 5)
    expect(stillToSend(gone)).toBe(false)
    expect(stillToSend(step(gone, { type: 'restore' }, 6))).toBe(true)
  })
})

describe('whose turn it is', () => {
  it('is the oldest one', () => {
    const drafts = [draft({ id: 'b', made_at: 2 }), draft({ id: 'a', made_at: 1 }), draft({ id: 'c', made_at: 0, phase: 'broken' })]
    expect(nextToSend(drafts, false)?.id).toBe('a')
  })
  it('passes over what waits for WiFi until there is some', () => {
    const drafts = [draft({ id: 'a', wifi_only: true, phase: 'wait_wifi' }), draft({ id: 'b', made_at: 2 })]
    expect(nextToSend(drafts, false)?.id).toBe('b')
    expect(nextToSend(drafts, true)?.id).toBe('a')
  })
})

it('takes up a creation whose answer was lost, and no other', () => {
  const upload = { id: 'upl_1', url: '/u/1', offset: 0, length: 30_000_000 }
  const clip = { id: 'clp_1', version: 'ver_1', upload }
  expect(fits(draft(), clip, new Set())).toEqual({ url: '/u/1', clip_id: 'clp_1', version_id: 'ver_1' })
  expect(fits(draft({ size: 1 }), clip, new Set())).toBe(null)
  expect(fits(draft(), { ...clip, upload: { ...upload, offset: 5 } }, new Set())).toBe(null)
  expect(fits(draft(), { ...clip, upload: null }, new Set())).toBe(null)
  expect(fits(draft(), clip, new Set(['/u/1']))).toBe(null)
})

describe('going on after trouble', () => {
  it('tries for ever and never waits more than ten seconds', () => {
    expect([0, 1, 2, 3, 4, 500].map(backoff)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000])
  })
  it('believes a refusal only from our own API', () => {
    expect(judge(422, 'not_a_video')).toBe('refused')
    expect(judge(413, null)).toBe('wait')
    expect(judge(502, null)).toBe('wait')
    expect(judge(0, null)).toBe('wait')
    expect(judge(409, 'offset')).toBe('wait')
    expect(judge(401, 'unauthorized')).toBe('signed_out')
    expect(judge(404, null)).toBe('forgotten')
  })
  it('goes in pieces only behind a proxy that swallows bytes', () => {
    const moved = { before: 0, after: 5_000_000, sent: 6_000_000, bytes_per_second: 125_000 }
    expect(chunkAfter(Infinity, moved)).toBe(Infinity)
    const swallowed = { ...moved, after: 0 }
    expect(chunkAfter(Infinity, swallowed)).toBe(1_000_000)
    expect(chunkAfter(1_000_000, swallowed)).toBe(500_000)
    expect(chunkAfter(MIN_CHUNK, swallowed)).toBe(MIN_CHUNK)
  })
  it('measures speed over the last seconds', () => {
    const speed = new Speed(10_000)
    expect(speed.perSecond).toBe(0)
    speed.mark(0, 0)
    speed.mark(2000, 200_000)
    expect(speed.perSecond).toBe(100_000)
    for (let s = 3; s < 40; s++) speed.mark(s * 1000, 200_000)
    expect(speed.perSecond).toBe(0)
  })
})

describe('what she reads', () => {
  it('says that nothing is lost when the line is cut', () => {
    const words = told(draft({ phase: 'no_signal', offset: 18_600_000 }), around)
    expect(words.title).toBe('信号断了，传好的都在')
    expect(restingNote(draft({ since: new Date(2026, 8, 1, 14, 32).getTime() }))).toBe('14:32 停下的，每 10 秒试一次')
  })
  it('says how long it takes once it knows', () => {
    const going = draft({ phase: 'sending', offset: 15_000_000 })
    expect(told(going, { ...around, bytes_per_second: 83_333 }).text).toBe('还要 3 分钟。可以去做别的。')
    expect(told(going, { ...around, resumed: true }).text).toBe('刚才关了也没事，接着上回的传。')
  })
  it('names how many go first', () => {
    expect(told(draft(), { ...around, ahead: 1 }).text).toBe('前面还有 1 条，传完就到这条。')
  })
  it('passes on the reason of a refusal', () => {
    const words = told(draft({ phase: 'broken', refusal: { message: '这不是视频。', next_step: '换一条。' } }), around)
    expect([words.title, words.text]).toEqual(['这不是视频。', '换一条。'])
  })
  it('estimates the cost and prefills a title', () => {
    expect(costWords(30_000_000)).toBe('这条 30 MB，用流量大约要 3 毛钱。')
    expect(costWords(250_000_000)).toBe('这条 250 MB，用流量大约要 2.5 块钱。')
    expect(titleFor('三十秒自我介绍：我是谁，我们村有什么', 0)).toBe('三十秒自我介绍')
    expect(titleFor(null, new Date(2026, 8, 3).getTime())).toBe('9月3日拍的')
  })
})
