import { describe, expect, it } from 'vitest'
import { cellAt, parseStoryboard } from './vtt'

const BASE = 'http://weijia.test/media/token/ver_1/storyboard.vtt'
const FILE = `WEBVTT

00:00:00.000 --> 00:00:02.000
storyboard.jpg#xywh=0,0,90,160

2
00:02.000 --> 00:04.000
storyboard.jpg#xywh=90,0,90,160
`

describe('storyboard', () => {
  it('reads times and rectangles, with or without hours', () => {
    const cells = parseStoryboard(FILE, BASE)
    expect(cells).toHaveLength(2)
    expect(cells[1]).toEqual({
      startMs: 2000, endMs: 4000, src: 'http://weijia.test/media/token/ver_1/storyboard.jpg', x: 90, y: 0, w: 90, h: 160,
    })
  })
  it('reads files with carriage returns and passes over cues that are not pictures', () => {
    const odd = FILE.replace(/\n/g, '\r\n') + '\r\n00:04.000 --> 00:06.000\r\njust words\r\n'
    expect(parseStoryboard(odd, BASE)).toHaveLength(2)
    expect(parseStoryboard('not a storyboard', BASE)).toEqual([])
  })
  it('finds the picture of a moment, and the nearest beyond the ends', () => {
    const cells = parseStoryboard(FILE, BASE)
    expect(cellAt(cells, 1999)?.x).toBe(0)
    expect(cellAt(cells, 2000)?.x).toBe(90)
    expect(cellAt(cells, 99_000)?.x).toBe(90)
    expect(cellAt([], 0)).toBeNull()
  })
})
