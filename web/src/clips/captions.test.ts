import { describe, expect, it } from 'vitest'
import { captionName, captionWord, shownCaption } from './captions'

const zh = { language: 'zh', url: '/media/t/v/cap_1.vtt' }
const en = { language: 'en', url: '/media/t/v/cap_2.vtt' }
const other = { language: 'zh', url: '/media/t/v/cap_3.vtt' }

describe('words under the picture', () => {
  it('are on at first, in the language she chose last, and stay off once she wants none', () => {
    expect(shownCaption([zh, en], null, null)).toBe(zh)
    expect(shownCaption([zh, en], 'en', null)).toBe(en)
    expect(shownCaption([en], 'zh', null)).toBe(en)
    expect(shownCaption([zh, en], 'off', null)).toBe(null)
    expect(shownCaption([], null, null)).toBe(null)
    expect(shownCaption([zh, other], 'zh', 'cap_3.vtt')).toBe(other)
    expect(shownCaption([zh], 'zh', 'cap_3.vtt')).toBe(zh)
  })
  it('have a name in her language', () => {
    expect(captionWord({ language: 'zh-Hant', title: null })).toBe('中文')
    expect(captionWord({ language: 'en', title: '导演的话' })).toBe('导演的话')
    expect(captionWord({ language: 'und', title: null })).toBe('字幕')
  })
  it('are the same under a newer address', () => {
    expect(captionName({ url: '/media/abc/ver_1/cap_1.vtt' })).toBe(captionName({ url: '/media/xyz/ver_1/cap_1.vtt' }))
  })
})
