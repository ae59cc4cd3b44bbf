// A few pictures of a film, as this phone shows them: how bright they are, and the best one to look at.
export interface Pictures {
  /** Both 0: what it plays has no picture; null: not known by then. */
  width: number | null
  height: number | null
  duration_ms: number
  /** Of each picture, how bright its brighter parts are, 0 to 255. */
  lights: number[]
  poster: Blob | null
}

const PLACES = [0.5, 0.15, 0.85]
const SMALL = 48
const POSTER_WIDTH = 324

/** Rejects when this phone cannot show it. What has been seen when `enough` comes is what is answered. */
export async function picturesOf(url: string, enough: Promise<void>): Promise<Pictures> {
  const video = document.createElement('video')
  video.muted = true
  video.playsInline = true
  video.preload = 'auto'
  let over = false
  void enough.then(() => (over = true))
  const heard = (name: string) =>
    new Promise<void>((resolve, reject) => {
      video.addEventListener(name, () => resolve(), { once: true })
      video.addEventListener('error', () => reject(new Error('unseen')), { once: true })
      void enough.then(resolve)
    })
  try {
    const loaded = heard('loadeddata')
    video.src = url
    await loaded
    const known = video.readyState >= video.HAVE_METADATA
    const [width, height] = known ? [video.videoWidth, video.videoHeight] : [null, null]
    const seen: Pictures = { width, height, duration_ms: Number.isFinite(video.duration) ? video.duration * 1000 : 0, lights: [], poster: null }
    let brightest = -1
    for (const place of seen.duration_ms ? PLACES : [0]) {
      if (over || !width) break
      const sought = heard('seeked')
      video.currentTime = (seen.duration_ms / 1000) * place
      await sought
      if (over) break
      const light = lightOf(draw(video, SMALL))
      seen.lights.push(light)
      if (light > brightest) {
        brightest = light
        seen.poster = await jpeg(draw(video, POSTER_WIDTH))
      }
    }
    return seen
  } finally {
    video.removeAttribute('src')
    video.load()
  }
}

function draw(video: HTMLVideoElement, width: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = Math.max(1, Math.round((width / video.videoWidth) * video.videoHeight))
  canvas.getContext('2d')!.drawImage(video, 0, 0, canvas.width, canvas.height)
  return canvas
}
const jpeg = (canvas: HTMLCanvasElement) => new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.8))

function lightOf(canvas: HTMLCanvasElement): number {
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
  return brighterParts(data)
}

/** The luma (BT.601) that a tenth of the pixels reach: a face by a lamp counts, a dark room around it doesn't. */
export function brighterParts(rgba: Uint8ClampedArray): number {
  const luma: number[] = []
  for (let k = 0; k < rgba.length; k += 4) luma.push(0.299 * rgba[k] + 0.587 * rgba[k + 1] + 0.114 * rgba[k + 2])
  luma.sort((a, b) => a - b)
  return luma[Math.floor(luma.length * 0.9)] ?? 0
}
