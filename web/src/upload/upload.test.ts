import { describe, expect, it } from 'vitest'
import { markOf } from './mark'
import { backoff, judge, MAX_CHUNK, MIN_CHUNK, Pacer, Speed } from './pace'
import { mayGo, newer, nextToSend, step, stillToSend } from './state'
import { around, draft } from './testing'
import { costWords, pageOf, titleFor } from './before'
import { arrivedWords, copyNote, restingNote, told } from './words'

describe('the way of a file', () => {
  it('goes from the queue to the mentor, keeping when each phase began', () => {
    let d = step(draft(), { type: 'start' }, 10)
    d = step(d, { type: 'created', url: '/u/1', clip_id: 'clp_1', version_id: 'ver_1' }, 11)
    d = step(d, { type: 'progress', offset: 5 }, 12)
    expect(d).toMatchObject({ phase: 'sending', since: 10, offset: 5, url: '/u/1', clip_id: 'clp_1' })
    d = step(d, { type: 'cut', trouble: 'line' }, 20)
    d = step(d, { type: 'cut', trouble: 'line' }, 30)
    expect(d).toMatchObject({ phase: 'no_signal', since: 20, offset: 5 })
    d = step(d, { type: 'sent' }, 40)
    expect(d).toMatchObject({ phase: 'preparing', offset: d.size })
    d = step(d, { type: 'ready', what_next: '交给老师' }, 50)
    expect(d).toMatchObject({ phase: 'arrived', since: 50, what_next: '交给老师' })
  })
  it('starts anew when the server no longer knows the upload, as the same clip', () => {
    const d = step(draft({ url: '/u/1', clip_id: 'clp_1', offset: 9, phase: 'no_signal' }), { type: 'forgotten', key: 'k2' }, 5)
    expect(d).toMatchObject({ url: null, offset: 0, clip_id: 'clp_1', key: 'k2' })
  })
  it('can be taken away and put back', () => {
    const gone = step(draft({ phase: 'sending' }), { type: 'cancel' }, 5)
    expect(stillToSend(gone)).toBe(false)
    expect(stillToSend(step(gone, { type: 'restore' }, 6))).toBe(true)
  })
  it('waits for the file when the phone has lost it, and goes on from where it was', () => {
    const lost = step(draft({ offset: 9, url: '/u/1', stored: 'copying' }), { type: 'file_gone' }, 5)
    expect([lost.phase, stillToSend(lost), mayGo(lost, true)]).toEqual(['needs_file', true, false])
    expect(step(lost, { type: 'file_again' }, 6)).toMatchObject({ phase: 'queued', offset: 9, url: '/u/1', stored: 'copying' })
  })
  it('rests when she says so, until she says otherwise', () => {
    const resting = step(draft({ phase: 'sending' }), { type: 'pause' }, 5)
    expect([mayGo(resting, true), stillToSend(resting)]).toEqual([false, true])
    expect(mayGo(step(resting, { type: 'go_on' }, 6), false)).toBe(true)
  })
  it('does not take up again what she has stopped, whatever a try still finds out', () => {
    const late = [{ type: 'start' }, { type: 'cut', trouble: 'line' }, { type: 'progress', offset: 9 }, { type: 'off_wifi' }, { type: 'file_gone' }, { type: 'signed_out' }] as const
    for (const phase of ['paused', 'needs_file', 'signed_out', 'put_off'] as const) {
      for (const event of late) expect(step(draft({ phase }), event, 5).phase).toBe(phase)
    }
    expect(step(draft({ phase: 'paused' }), { type: 'sent' }, 5).phase).toBe('preparing')
  })
  it('is kept before she says what becomes of it, when it is straight from the camera', () => {
    const chosen = draft({ phase: 'chosen', filmed: true, stored: 'copying' })
    expect([mayGo(chosen, true), stillToSend(chosen)]).toEqual([false, false])
    expect(step(chosen, { type: 'file_gone' }, 5).phase).toBe('needs_file')
    const assignment = { code: 'A1', title: '自我介绍' }
    const sent = step(chosen, { type: 'send', title: '我', assignment, wifi_only: false, on_wifi: false }, 5)
    expect(sent).toMatchObject({ phase: 'queued', title: '我', assignment })
  })
  it('believes her newest word, whichever tab she said it in', () => {
    const mine = step(draft({ phase: 'sending' }), { type: 'pause' }, 50)
    expect(newer(mine, draft({ phase: 'sending', offset: 7 }))).toBe(mine)
    expect(newer(draft(), mine)).toBe(mine)
    expect(newer(undefined, mine)).toBe(mine)
  })
})

it('knows the same file again by its ends', async () => {
  const bytes = new Uint8Array(200_000).map((_, k) => k % 251)
  const other = bytes.slice()
  other[199_999] ^= 1
  expect(await markOf(new Blob([bytes]))).toBe(await markOf(new Blob([bytes])))
  expect(await markOf(new Blob([other]))).not.toBe(await markOf(new Blob([bytes])))
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

describe('going on after trouble', () => {
  it('tries for ever and never waits more than ten seconds', () => {
    expect([0, 1, 2, 3, 4, 500].map((tries) => backoff(tries))).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000])
  })
  it('believes only our own server that a file is refused or gone, or a session over', () => {
    const ours = (status: number, code: string | null = null, method = 'PATCH') => judge({ status, code, method, ours: true })
    const strange = (status: number) => judge({ status, code: null, method: 'PATCH', ours: false })
    expect(ours(422, 'not_a_video')).toBe('refused')
    expect(ours(413, 'too_big', 'POST')).toBe('refused')
    expect(ours(409, 'clip_passed', 'POST')).toBe('refused')
    expect([ours(409, 'offset'), ours(460, 'checksum'), ours(423, 'x'), ours(503, 'x')]).toEqual(Array(4).fill('server'))
    expect([ours(404, null, 'HEAD'), ours(410, null, 'HEAD')]).toEqual(['forgotten', 'forgotten'])
    expect(ours(404, 'not_found', 'POST')).toBe('clip_gone')
    expect(ours(401, 'unauthorized')).toBe('signed_out')
    expect(strange(413)).toBe('too_much')
    expect([502, 504, 404, 401, 403].map(strange)).toEqual(Array(5).fill('server'))
    expect([200, 302, 511].map(strange)).toEqual(Array(3).fill('portal'))
    expect(strange(0)).toBe('line')
  })
  it('goes in pieces only behind a proxy that swallows bytes', () => {
    const pacer = new Pacer()
    expect(pacer.begins('a', 0)).toBe(Infinity)
    expect(pacer.unsure).toBe(true)
    pacer.ended('a', 0, 2_000_000, 16_000)
    expect(pacer.begins('a', 0)).toBe(1_000_000)
    expect(pacer.unsure).toBe(false)
    pacer.ended('a', 0, 1_000_000, 8000)
    expect(pacer.begins('a', 0)).toBe(500_000)
    for (let n = 0; n < 5; n++) {
      pacer.ended('a', 0, 300_000, 8000)
      pacer.begins('a', 0)
    }
    pacer.ended('a', 0, 300_000, 8000)
    expect(pacer.begins('a', 0)).toBe(MIN_CHUNK)
  })
  it('stays with one request where the server got some of it, and looks no more', () => {
    const pacer = new Pacer()
    pacer.begins('a', 0)
    pacer.ended('a', 0, 6_000_000, 16_000)
    expect(pacer.begins('a', 5_000_000)).toBe(Infinity)
    expect(pacer.unsure).toBe(false)
    pacer.lineChanged()
    expect(pacer.unsure).toBe(true)
  })
  it('follows the true rate of the line, from 256 KiB to 8 MiB', () => {
    const pacer = new Pacer()
    pacer.tooMuch(300_000_000)
    expect(pacer.begins('a', 0)).toBe(MAX_CHUNK)
    pacer.tooMuch(MAX_CHUNK)
    expect(pacer.begins('a', 0)).toBe(MAX_CHUNK / 2)
    expect(pacer.acknowledged(4_000_000, 40_000)).toBe(800_000)
    expect(pacer.acknowledged(800_000, 100)).toBe(1_600_000)
    expect(pacer.acknowledged(1000, 1_000_000)).toBe(MIN_CHUNK)
  })
  it('does not try again what a proxy has refused, until there is another line', () => {
    const pacer = new Pacer()
    const limit = 1 << 20
    const sizes: number[] = []
    const send = () => {
      const piece = pacer.begins('a', 0)
      sizes.push(piece)
      if (piece > limit) pacer.tooMuch(70_000)
      else pacer.acknowledged(piece, 10)
    }
    for (let n = 0; n < 30; n++) send()
    expect(sizes.filter((size) => size > limit).length).toBe(2)
    expect(sizes.at(-1)).toBe(limit)
    pacer.lineChanged()
    expect(pacer.begins('a', 0)).toBe(Infinity)
  })
  it('knows when there is no smaller piece to try', () => {
    const pacer = new Pacer()
    expect(pacer.tooMuch(600_000)).toBe(true)
    expect([pacer.tooMuch(300_000), pacer.tooMuch(MIN_CHUNK), pacer.begins('a', 0)]).toEqual([true, false, MIN_CHUNK])
    expect(backoff(0, 'gateway')).toBeGreaterThanOrEqual(60_000)
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
  it('says what is the matter when somebody else answers', () => {
    expect(told(draft({ phase: 'no_signal', trouble: 'portal' }), around).title).toBe('连着的 WiFi 还不能用')
    expect(told(draft({ phase: 'no_signal', trouble: 'server', offset: 5 }), around).text).toBe('传好的都在，过一会儿自己接着传。')
    expect(told(draft({ phase: 'needs_file', offset: 12_000_000 }), around).text).toContain('从 12 MB 接着传')
  })
  it('promises nothing about a copy that is not there', () => {
    expect(told(draft(), around).text).toContain('存好了')
    for (const stored of ['copying', 'page'] as const) {
      for (const d of [draft({ stored }), draft({ stored, phase: 'no_signal' }), draft({ stored, phase: 'no_signal', trouble: 'server' })]) {
        expect(told(d, around).text).not.toContain('存好了，')
      }
    }
    const filmed = draft({ stored: 'copying', filmed: true, size: 200 })
    expect(told(filmed, { ...around, copied: 50 }).title).toBe('先在手机里存一份')
    expect([copyNote(filmed, 50), copyNote({ ...filmed, stored: 'opfs' }, null)]).toEqual(['正在手机里存一份，存了 25%', ''])
  })
  it('lets her go only once the copy is made', () => {
    const going = draft({ phase: 'sending', offset: 5 })
    for (const bytes_per_second of [0, 83_333]) {
      for (const phase of ['queued', 'sending'] as const) {
        const copying = { ...going, phase, stored: 'copying' } as const
        expect(told(copying, { ...around, bytes_per_second, copied: 0 }).text).toBe('先别关这一页，正在把片子存好。')
        // Another page makes the copy.
        expect(told(copying, { ...around, bytes_per_second }).text).not.toMatch(/别关|去做别的/)
        expect(told({ ...going, phase, stored: 'page' }, { ...around, bytes_per_second }).text).toContain('传完前别关这一页')
      }
      expect(told(going, { ...around, bytes_per_second }).text).toContain('可以去做别的')
    }
    for (const phase of ['no_signal', 'wait_wifi', 'paused'] as const) expect(told({ ...going, phase, stored: 'copying' }, { ...around, copied: 9 }).text).toContain('先别关这一页')
  })
  it('says who is to tell where the phone cannot tell what it is connected by', () => {
    const waits = draft({ phase: 'wait_wifi', wifi_only: true })
    expect(told(waits, around).text).toBe('这条 30 MB，不用你的流量。')
    expect(told(waits, { ...around, line: 'unknown' }).text).toContain('这部手机说不准连的是不是 WiFi，连上了你点一下')
  })
  it('is one line for all that have arrived', () => {
    expect(arrivedWords([draft()])).toBe('“村里的打鼓队”传到了')
    expect(arrivedWords([draft(), draft(), draft()])).toBe('3 条都传到了')
  })
  it('says what helps where the network itself is in the way', () => {
    const words = told(draft({ phase: 'no_signal', trouble: 'gateway', offset: 5 }), around)
    expect([words.title, words.text]).toEqual(['连着的网不让传片子', '换个 WiFi，或者用流量试试。传好的都在，换了网自己接着传。'])
  })
  it('says how long it takes once it knows', () => {
    const going = draft({ phase: 'sending', offset: 15_000_000 })
    expect(told(going, { ...around, bytes_per_second: 83_333 }).text).toBe('还要 3 分钟。可以去做别的。')
    expect(told(going, { ...around, resumed: true }).text).toBe('刚才关了也没事，接着上回的传。')
  })
  it('names how many go first', () => {
    expect(told(draft(), { ...around, ahead: 1 }).text).toBe('前面还有 1 条，传完就到这条。')
  })
  it('says that nothing was spent on what the server had', () => {
    const had = step(draft({ phase: 'sending' }), { type: 'had', clip_id: 'clp_2', version_id: 'ver_2' }, 5)
    expect(had).toMatchObject({ phase: 'preparing', offset: had.size, clip_id: 'clp_2', version_id: 'ver_2' })
    expect(told(had, around).title).toBe('这条传过，没再花流量')
  })
  it('passes on the reason of a refusal', () => {
    const words = told(draft({ phase: 'broken', refusal: { code: 'not_a_video', message: '这不是视频。', next_step: '换一条。' } }), around)
    expect([words.title, words.text]).toEqual(['这不是视频。', '换一条。'])
  })
  it('leads to the page where a film just made is looked at, with all that was known of it', () => {
    const made_at = new Date(2026, 8, 3).getTime()
    const filmed = draft({ phase: 'chosen', made_at, title: '9月3日拍的', assignment: { code: 'A1', title: '' }, clip: 'clp_1' })
    expect(pageOf(filmed)).toEqual({ path: '/upload', query: { film: 'd1', assignment: 'A1', clip: 'clp_1' } })
    expect(pageOf({ ...filmed, phase: 'queued' })).toBe('/upload/d1')
  })
  it('estimates the cost and prefills a title', () => {
    expect(costWords(30_000_000)).toBe('这条 30 MB，用流量大约要 3 毛钱。')
    expect(costWords(250_000_000)).toBe('这条 250 MB，用流量大约要 2.5 块钱。')
    expect(titleFor('三十秒自我介绍：我是谁，我们村有什么', 0)).toBe('三十秒自我介绍')
    expect(titleFor(null, new Date(2026, 8, 3).getTime())).toBe('9月3日拍的')
  })
})
