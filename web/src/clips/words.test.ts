import { describe, expect, it } from 'vitest'
import { actOf, currentMark, inOrder, markWord, standing } from './words'

const clip = { state: 'draft', media_state: 'ready', playable: true, can_submit: false, refusal: null } as const

describe('how a clip stands', () => {
  it('names trouble before anything else', () => {
    expect(standing({ ...clip, media_state: 'failed', feedback_new: 3 }).word).toBe('这条打不开')
    expect(standing({ ...clip, media_state: 'failed', refusal: { code: 'encrypted' } }).icon).toBe('lock')
  })
  it('says what is new before where it is', () => {
    expect(standing({ ...clip, state: 'returned', feedback_new: 4 }).word).toBe('老师回了 4 句')
    expect(standing({ ...clip, state: 'returned' }).word).toBe('照着改一版')
  })
  it('says so while the picture is being made', () => {
    expect(standing({ ...clip, media_state: 'processing', playable: false }).word).toBe('老师那边在准备')
    expect(standing({ ...clip, state: 'submitted', media_state: 'processing' }).word).toBe('等老师看')
  })
})

describe('the one thing to do', () => {
  it('follows the state', () => {
    expect(actOf({ ...clip, can_submit: true })).toBe('submit')
    expect(actOf({ ...clip, state: 'returned' })).toBe('film_again')
    expect(actOf({ ...clip, state: 'passed' })).toBe(null)
    expect(actOf({ ...clip, media_state: 'failed', can_submit: true })).toBe('choose_again')
    expect(actOf({ ...clip, state: 'withdrawn', can_submit: true })).toBe(null)
  })
})

describe('the marks', () => {
  it('have a word each', () => {
    expect(markWord('有风声。换到屋檐下再说一遍。')).toBe('有风声')
    expect(markWord('鼓棒举到这里停一下，大家才看得清。')).toBe('鼓棒举到…')
  })
  it('show praise first and what must change next', () => {
    const items = [{ kind: 'fix', t_start_ms: 1 }, { kind: 'must', t_start_ms: 9 }, { kind: 'praise', t_start_ms: 30 }] as const
    expect(inOrder(items).map((each) => each.kind)).toEqual(['praise', 'must', 'fix'])
  })
  it('follow the player', () => {
    const items = [{ id: 'b', t_start_ms: 12_000 }, { id: 'a', t_start_ms: 3000 }]
    expect(currentMark(items, 0)).toBe(null)
    expect(currentMark(items, 11_000)).toBe('a')
    expect(currentMark(items, 12_000)).toBe('b')
  })
})
it('tells a new version that waits for her from one that is still to be filmed', () => {
  const back = { state: 'returned' as const, media_state: 'ready' as const, playable: true, refusal: null }
  expect(standing(back).word).toBe('照着改一版')
  expect(standing({ ...back, can_submit: true }).word).toBe('新的一版还没交')
})
