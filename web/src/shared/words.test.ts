import { describe, expect, it } from 'vitest'
import { atSecond, clock, counted, dateWords, givenName, greeting, inChinese, lasting, lengthWords, mb, when } from './words'

describe('sizes', () => {
  it('has one decimal, none when it says nothing', () => {
    expect(mb(18_640_000)).toBe('18.6 MB')
    expect(mb(30_000_000)).toBe('30 MB')
    expect(mb(412_345_678)).toBe('412 MB')
    expect(mb(1_250_000_000)).toBe('1.3 GB')
  })
  it('never says that a small file is nothing', () => {
    expect(mb(900)).toBe('0.1 MB')
    expect(mb(0)).toBe('0 MB')
  })
})

describe('times', () => {
  it('reads as a player shows it', () => {
    expect(clock(12_400)).toBe('0:12')
    expect(clock(3_723_000)).toBe('1:02:03')
    expect(atSecond(12_900)).toBe('第 12 秒')
    expect(atSecond(65_000)).toBe('第 1 分 5 秒')
  })
  it('rounds what is left so that it does not flicker', () => {
    expect(lasting(7_200)).toBe('7 秒')
    expect(lasting(21_000)).toBe('25 秒')
    expect(lasting(170_000)).toBe('3 分钟')
    expect(lasting(7_200_000)).toBe('2 小时')
  })
  it('says to the second how long a film is', () => {
    expect([400, 12_900, 400_000, 600_000, 3_900_000].map(lengthWords)).toEqual(['1 秒', '12 秒', '6 分 40 秒', '10 分钟', '1 小时 5 分'])
  })
  it('says when as people do', () => {
    const now = new Date(2026, 8, 30, 15, 0).getTime()
    const at = (d: number, h: number, m: number) => new Date(2026, 8, d, h, m).getTime()
    expect(when(now - 5_000, now)).toBe('刚刚')
    expect(when(now - 480_000, now)).toBe('8 分钟前')
    expect(when(at(30, 9, 5), now)).toBe('今天 9:05')
    expect(when(at(29, 21, 40), now)).toBe('昨晚 21:40')
    expect(when(at(29, 8, 0), now)).toBe('昨天 8:00')
    expect(when(at(3, 8, 5), now)).toBe('9月3日 8:05')
    expect(when(new Date(2025, 8, 3).getTime(), now)).toBe('2025年9月3日')
    expect(when(new Date(2026, 9, 2, 14, 0).getTime(), now)).toBe('后天 14:00')
  })
})

describe('numbers and names', () => {
  it('counts in Chinese', () => {
    expect([0, 3, 10, 12, 20, 49, 100].map(inChinese)).toEqual(['零', '三', '十', '十二', '二十', '四十九', '100'])
    expect(counted(2)).toBe('两')
  })
  it('greets by the hour', () => {
    expect([3, 8, 12, 15, 20].map(greeting)).toEqual(['夜深了', '早上好', '中午好', '下午好', '晚上好'])
  })
  it('calls her by her given name', () => {
    expect(givenName('向春梅')).toBe('春梅')
    expect(givenName('向梅')).toBe('向梅')
    expect(givenName('欧阳春梅')).toBe('欧阳春梅')
  })
  it('writes dates', () => expect(dateWords('2026-09-30')).toBe('2026年9月30日'))
})
