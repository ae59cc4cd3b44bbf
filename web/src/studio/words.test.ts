import { describe, expect, it } from 'vitest'
import { clockOf, count, day, figure, moment, ordinal, since, timeLeft } from './words'

const HOUR = 3_600_000
const now = new Date(2026, 10, 23, 21, 0).getTime()

describe('time left', () => {
  it('falls from calm to soon to now', () => {
    expect(timeLeft(now + 39 * HOUR, now)).toMatchObject({ words: '还剩 39 小时', urgency: 'calm' })
    expect(timeLeft(now + 9 * HOUR, now)).toMatchObject({ words: '还剩 9 小时', urgency: 'soon' })
    expect(timeLeft(now + 1.5 * HOUR, now)).toMatchObject({ words: '还剩 90 分钟', urgency: 'now' })
  })
  it('says by how much a promise was passed, with an empty bar', () => {
    expect(timeLeft(now - 3 * HOUR, now)).toEqual({ words: '过了 3 小时', urgency: 'now', share: 0 })
  })
  it('never fills the bar beyond its end', () => {
    expect(timeLeft(now + 100 * HOUR, now).share).toBe(1)
    expect(timeLeft(now + 24 * HOUR, now).share).toBe(0.5)
  })
})

describe('words', () => {
  it('names moments as people do', () => {
    expect(moment(now + 100 * 60_000, now)).toBe('22:40')
    expect(moment(now + 5 * HOUR, now)).toBe('明天 2:00')
    expect(moment(now - 24 * HOUR, now)).toBe('昨天 21:00')
    expect(moment(now - 14 * 24 * HOUR, now)).toBe('11月9日 21:00')
  })
  it('counts with 两', () => {
    expect(count(2, '项')).toBe('两项')
    expect(count(12, '条')).toBe(' 12 条')
    expect(ordinal(2)).toBe('二')
    expect(ordinal(12)).toBe('十二')
  })
  it('keeps missing apart from zero', () => {
    expect(figure(null)).toBe('没登记')
    expect(figure(0)).toBe('0')
    expect(figure(123_456)).toBe('12.3 万')
  })
  it('tells time', () => {
    expect(clockOf(24_900)).toBe('0:24')
    expect(clockOf(3_729_000)).toBe('1:02:09')
    expect(since(now - 20_000, now)).toBe('刚刚')
    expect(since(now - 6 * 24 * HOUR, now)).toBe('6 天')
    expect(day('2026-11-09', 2026)).toBe('11月9日')
    expect(day('2028-09-30')).toBe('2028年9月30日')
    expect(day(null)).toBe('')
  })
})
