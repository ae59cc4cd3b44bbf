// The storyboard: a WebVTT file whose cues name a rectangle of one sprite image (`storyboard.jpg#xywh=0,0,90,160`).

export interface Cell {
  startMs: number
  endMs: number
  src: string
  x: number
  y: number
  w: number
  h: number
}

const TIMING = /^((?:\d+:)?\d{1,2}:\d{2}\.\d{3})\s+-->\s+((?:\d+:)?\d{1,2}:\d{2}\.\d{3})/

/** `base` is the address the file came from: names in it are relative to that. */
export function parseStoryboard(text: string, base: string): Cell[] {
  const cells: Cell[] = []
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  for (let i = 0; i < lines.length; i++) {
    const timing = TIMING.exec(lines[i]!.trim())
    if (!timing) continue
    const picture = /^(.*)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/.exec((lines[i + 1] ?? '').trim())
    if (!picture) continue
    const [x, y, w, h] = picture.slice(2).map(Number) as [number, number, number, number]
    if (!w || !h) continue
    cells.push({
      startMs: stamp(timing[1]!),
      endMs: stamp(timing[2]!),
      src: new URL(picture[1]!, base).href,
      x, y, w, h,
    })
  }
  return cells.sort((a, b) => a.startMs - b.startMs)
}

function stamp(text: string): number {
  return Math.round(text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000)
}

/** The picture on show at a moment; before the first cell the first, after the last the last. */
export function cellAt(cells: readonly Cell[], ms: number): Cell | null {
  let found: Cell | null = cells[0] ?? null
  for (const cell of cells) {
    if (cell.startMs > ms) break
    found = cell
  }
  return found
}
