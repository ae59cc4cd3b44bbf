// What an MP4 or MOV says about itself: how long, which way up, and where its sound lies. Only the index is read, a few
// hundred KB of a film of any size, and no codec is needed, so it works for films that this phone cannot play.

export interface Movie {
  duration_ms: number
  /** As it is shown, after its rotation; null without a picture. */
  width: number | null
  height: number | null
  has_sound: boolean
  /** AAC that can be cut out frame by frame; null for any other sound. */
  aac: Aac | null
}
export interface Aac {
  /** MPEG-4 sampling frequency index and channel configuration, as ADTS wants them. */
  frequency: number
  channels: number
  frames: { at: number; size: number }[]
}

const MOST_INDEX = 32 << 20
/** A damaged file may claim anything; half an hour of sound has 85,000 frames, and no film has more boxes at the top. */
const MOST_FRAMES = 100_000
const MOST_BOXES = 1000

/** Null: not such a file, or one that cannot be read. */
export async function readMovie(file: Blob): Promise<Movie | null> {
  const moov = await findMoov(file)
  return moov && movieOf(new DataView(moov))
}

async function findMoov(file: Blob): Promise<ArrayBuffer | null> {
  for (let at = 0, n = 0; at + 8 <= file.size && n < MOST_BOXES; n++) {
    const head = new DataView(await file.slice(at, at + 16).arrayBuffer())
    const type = word(head, 4)
    if (at === 0 && type !== 'ftyp' && type !== 'moov' && type !== 'wide' && type !== 'mdat') return null
    let size = head.getUint32(0)
    if (size === 1 && head.byteLength >= 16) size = Number(head.getBigUint64(8))
    if (size === 0) size = file.size - at
    if (size < 8) return null
    if (type === 'moov') return size > MOST_INDEX || at + size > file.size ? null : file.slice(at + 8, at + size).arrayBuffer()
    at += size
  }
  return null
}

interface Box {
  type: string
  from: number
  to: number
}
const word = (view: DataView, at: number) => String.fromCharCode(...[0, 1, 2, 3].map((k) => view.getUint8(at + k)))

function boxes(view: DataView, from: number, to: number): Box[] {
  const found: Box[] = []
  for (let at = from; at + 8 <= to; ) {
    const size = view.getUint32(at)
    if (size < 8 || at + size > to) break
    found.push({ type: word(view, at + 4), from: at + 8, to: at + size })
    at += size
  }
  return found
}
/** The first box on this path below one. */
function below(view: DataView, box: Box | undefined, ...path: string[]): Box | undefined {
  for (const type of path) box = box && boxes(view, box.from, box.to).find((each) => each.type === type)
  return box
}

export function movieOf(view: DataView): Movie | null {
  const moov = { type: 'moov', from: 0, to: view.byteLength }
  const mvhd = below(view, moov, 'mvhd')
  if (!mvhd) return null
  const long = view.getUint8(mvhd.from) === 1
  const timescale = view.getUint32(mvhd.from + (long ? 20 : 12))
  const duration = long ? Number(view.getBigUint64(mvhd.from + 24)) : view.getUint32(mvhd.from + 16)
  const movie: Movie = { duration_ms: timescale ? (duration / timescale) * 1000 : 0, width: null, height: null, has_sound: false, aac: null }
  for (const trak of boxes(view, 0, view.byteLength).filter((box) => box.type === 'trak')) {
    const hdlr = below(view, trak, 'mdia', 'hdlr')
    const kind = hdlr && word(view, hdlr.from + 8)
    const tkhd = below(view, trak, 'tkhd')
    if (kind === 'vide' && tkhd && movie.width === null) {
      const matrix = tkhd.from + (view.getUint8(tkhd.from) === 1 ? 52 : 40)
      const lying = Math.abs(view.getInt32(matrix + 4)) > Math.abs(view.getInt32(matrix))
      const size = [view.getUint32(matrix + 36) / 65536, view.getUint32(matrix + 40) / 65536]
      ;[movie.width, movie.height] = lying ? size.reverse() : size
    }
    if (kind === 'soun') {
      movie.has_sound = true
      movie.aac ??= aacOf(view, below(view, trak, 'mdia', 'minf', 'stbl'))
    }
  }
  return movie
}

function aacOf(view: DataView, stbl: Box | undefined): Aac | null {
  const stsd = below(view, stbl, 'stsd')
  const entry = stsd && boxes(view, stsd.from + 8, stsd.to).find((box) => box.type === 'mp4a')
  if (!stbl || !entry) return null
  // QuickTime's second and third versions of the entry have more fields before the boxes.
  const before = [28, 44, 64][view.getUint16(entry.from + 8)] ?? 28
  const inside: Box = { ...entry, from: entry.from + before }
  const esds = below(view, inside, 'esds') ?? below(view, inside, 'wave', 'esds')
  const config = esds && configOf(view, esds)
  const frames = framesOf(view, stbl)
  return config && frames.length ? { ...config, frames } : null
}

/** Walks the descriptors down to the AudioSpecificConfig (ISO 14496-1, 14496-3). */
function configOf(view: DataView, esds: Box): Pick<Aac, 'frequency' | 'channels'> | null {
  let at = esds.from + 4
  while (at + 2 < esds.to) {
    const tag = view.getUint8(at++)
    let size = 0
    for (let more = true; more && at < esds.to; ) {
      const byte = view.getUint8(at++)
      size = (size << 7) | (byte & 0x7f)
      more = (byte & 0x80) !== 0
    }
    if (tag === 3) at += 3
    else if (tag === 4) at += 13
    else if (tag === 5 && size >= 2) {
      const bits = view.getUint16(at)
      const frequency = (bits >> 7) & 15
      const channels = (bits >> 3) & 15
      // 2 is plain AAC, 5 and 29 have it below their extension. 15 would be a frequency written out.
      return [2, 5, 29].includes(bits >> 11) && frequency < 13 && channels ? { frequency, channels } : null
    } else at += size
  }
  return null
}

/** Where each sample lies: sizes from stsz, chunks from stco or co64, how many in each from stsc. */
function framesOf(view: DataView, stbl: Box): Aac['frames'] {
  const [stsz, stsc] = [below(view, stbl, 'stsz'), below(view, stbl, 'stsc')]
  const [stco, co64] = [below(view, stbl, 'stco'), below(view, stbl, 'co64')]
  const chunks = stco ?? co64
  if (!stsz || !stsc || !chunks) return []
  const same = view.getUint32(stsz.from + 4)
  const count = Math.min(view.getUint32(stsz.from + 8), MOST_FRAMES)
  const runs = view.getUint32(stsc.from + 4)
  const frames: Aac['frames'] = []
  let run = 0
  for (let chunk = 1; chunk <= view.getUint32(chunks.from + 4) && frames.length < count; chunk++) {
    while (run + 1 < runs && view.getUint32(stsc.from + 8 + (run + 1) * 12) <= chunk) run++
    let at = stco ? view.getUint32(stco.from + 4 + chunk * 4) : Number(view.getBigUint64(co64!.from + chunk * 8))
    for (let n = view.getUint32(stsc.from + 12 + run * 12); n > 0 && frames.length < count; n--) {
      const size = same || view.getUint32(stsz.from + 12 + frames.length * 4)
      frames.push({ at, size })
      at += size
    }
  }
  return frames
}
