import { describe, expect, it } from 'vitest'
import { judge } from './pace'
import { afterLoss, againAt, isDue, isForLater, mayGoElsewhere } from './refusals'
import { step, stillToSend, mayGo, type Draft, type Refusal } from './state'
import { around, draft } from './testing'
import { told } from './words'

const HOUR = 3_600_000
const DAY: Refusal = { code: 'quota_day', message: '今天已经传了 5 GB，一天最多 5 GB。', next_step: '明天零点以后再传。' }
/** 2026-03-05, hours and minutes in China. */
const at = (hour: number, minute = 0) => Date.UTC(2026, 2, 5, hour - 8, minute)
const putOff = (refusal: Refusal, again_at: number) => step(draft({ phase: 'sending' }), { type: 'put_off', refusal, again_at }, 5)

describe('a film that is not taken now', () => {
  it('stays, whatever the status, and only when our own server says so', () => {
    const ours = (status: number, code: string) => judge({ status, code, method: 'POST', ours: true })
    for (const code of ['quota_day', 'quota_person', 'too_many_uploads', 'too_many_today']) expect(ours(422, code)).toBe('put_off')
    expect([ours(409, 'clip_in_review'), ours(507, 'disk_low'), ours(507, 'disk_full')]).toEqual(['put_off', 'put_off', 'put_off'])
    expect(judge({ status: 507, code: 'disk_low', method: 'PATCH', ours: true })).toBe('put_off')
    expect([ours(422, 'too_big'), ours(409, 'clip_passed'), ours(507, 'else')]).toEqual(['refused', 'refused', 'server'])
    expect(judge({ status: 507, code: 'disk_low', method: 'POST', ours: false })).toBe('server')
  })
  it('says what the server said, and does not call the film bad', () => {
    const words = told(putOff(DAY, 9), around)
    expect([words.short, words.title, words.text]).toEqual(['先存着', DAY.message, DAY.next_step])
  })
  it('waits for its time or for her word, and lets others go', () => {
    const waits = putOff(DAY, 9)
    expect([waits.phase, stillToSend(waits), mayGo(waits, true)]).toEqual(['put_off', true, false])
    expect(mayGo(step(waits, { type: 'go_on' }, 6), true)).toBe(true)
  })
  it('is tried again after midnight in China, and each hour in case the phone is wrong about the time', () => {
    expect(againAt('quota_day', at(23, 30))).toBe(at(24, 1))
    expect(againAt('too_many_today', at(15))).toBe(at(16))
    expect(againAt('quota_person', at(23, 30))).toBe(at(24, 30))
    expect(againAt('disk_low', at(15))).toBe(at(15, 5))
  })
  it('is asked about when the page is opened, where somebody may have made room', () => {
    const full = putOff({ ...DAY, code: 'quota_person' }, HOUR)
    expect([isDue(full, 0, true), isDue(full, 0, false), isDue(full, HOUR, false)]).toEqual([true, false, true])
    expect([isDue(putOff(DAY, HOUR), 0, true), isDue(putOff(DAY, HOUR), HOUR, true)]).toEqual([false, true])
    expect(isDue({ ...full, cancelled_at: 3 }, HOUR, true)).toBe(false)
  })
})

describe('a film that the server has lost', () => {
  const after = (d: Draft) => afterLoss(d, 'k2', 100).reduce((now, event) => step(now, event, 100), d)
  it('is sent again as a version of the same clip', () => {
    const again = after(draft({ phase: 'preparing', url: '/u/1', clip_id: 'clp_1', offset: 30_000_000 }))
    expect(again).toMatchObject({ phase: 'queued', url: null, offset: 0, key: 'k2', clip_id: 'clp_1', lost_times: 1 })
  })
  it('does not cost her data for ever', () => {
    const lost = after(after(after(draft({ phase: 'sending' }))))
    expect(lost).toMatchObject({ phase: 'put_off', again_at: 100 + 24 * HOUR, refusal: { code: 'not_kept' } })
    expect(isForLater(lost.refusal?.code)).toBe(false)
    expect(isDue(lost, 200, true)).toBe(false)
  })
})

it('lets a good film go elsewhere when what it was for is over', () => {
  const passed = draft({ phase: 'broken', clip: 'clp_1', clip_id: 'clp_1', refusal: { ...DAY, code: 'clip_passed' } })
  expect(mayGoElsewhere(passed)).toBe(true)
  expect(mayGoElsewhere({ ...passed, refusal: { ...DAY, code: 'not_a_video' } })).toBe(false)
  const anew = step(passed, { type: 'choose_anew', key: 'k2' }, 5)
  expect(anew).toMatchObject({ phase: 'chosen', clip: null, clip_id: null, key: 'k2', refusal: null })
  const sent = step(anew, { type: 'send', title: '新的', assignment: null, wifi_only: true, on_wifi: false }, 6)
  expect(sent).toMatchObject({ phase: 'wait_wifi', title: '新的', wifi_only: true })
})
