import { describe, expect, it } from 'vitest'
import { parseRoster } from './roster'

describe('roster', () => {
  it('reads lines however they are parted', () => {
    const lines = parseRoster('姓名\t手机号\t村\n1 向春梅 13800000001 捞车村\n覃桂花，138-0000-0002，惹巴拉村，三组\n\n')
    expect(lines).toEqual([
      { line: 2, name: '向春梅', phone: '13800000001', village: '捞车村', group: null, wrong: null },
      { line: 3, name: '覃桂花', phone: '13800000002', village: '惹巴拉村', group: 3, wrong: null },
    ])
  })
  it('says what is wrong with a line', () => {
    const wrong = parseRoster('向春梅 捞车村\n覃桂花 1380000 村\n甲 13800000003 村\n乙 13800000003 村\n丙 13800000004').map(l => l.wrong)
    expect(wrong).toEqual(['没有手机号', '手机号要 11 位', null, '手机号和前面一行一样', '没写村'])
  })
  it('drops the country code', () => {
    expect(parseRoster('向春梅 +8613800000001 捞车村')[0]!.phone).toBe('13800000001')
  })
})
