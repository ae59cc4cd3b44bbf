// Everything that a player is given of each clip, played to its end: every rendition by itself, as hls.js feeds it to
// Chromium; the film; and, where the browser reads playlists by itself, all of it together.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, open, signIn } from './phone.mjs'

const { WEIJIA_URL: base } = process.env
const { trainee } = JSON.parse(process.env.WEIJIA_PEOPLE)
const clips = JSON.parse(process.env.WEIJIA_CLIPS)

let browser
let phone

before(async () => {
  browser = await launch()
  phone = await open(browser)
  await signIn(phone, base, trainee)
  await phone.evaluate(() => {
    /** Plays what `load` gives to a video, and answers how that went. */
    window.play = async (load) => {
      const video = document.createElement('video')
      Object.assign(video, { muted: true, playsInline: true })
      document.body.append(video)
      const ended = new Promise((resolve) => {
        video.onended = () => resolve(null)
        video.onerror = () => resolve(video.error.message || `error ${video.error.code}`)
        setTimeout(() => resolve(`stands at ${video.currentTime} s, ${video.readyState}`), 90_000)
      })
      const wrong = await load(video)
      await video.play().catch(() => undefined)
      video.playbackRate = 8
      const error = wrong ?? (await ended)
      const { totalVideoFrames: pictures, corruptedVideoFrames: corrupted } = video.getVideoPlaybackQuality()
      const how = { error, pictures, corrupted, size: [video.videoWidth, video.videoHeight], seconds: video.currentTime, length: video.duration }
      video.remove()
      return how
    }
    /** One rendition, piece by piece. */
    window.fed = (list, type) => async (video) => {
      if (!MediaSource.isTypeSupported(type)) return `${type} is not read`
      const source = new MediaSource()
      video.src = URL.createObjectURL(source)
      await new Promise((resolve) => (source.onsourceopen = resolve))
      const buffer = source.addSourceBuffer(type)
      const text = await (await fetch(list)).text()
      const names = [/#EXT-X-MAP:URI="(.+?)"/.exec(text)[1], ...text.split('\n').filter((line) => line && !line.startsWith('#'))]
      for (const name of names) {
        const bytes = await (await fetch(new URL(name, new URL(list, location)))).arrayBuffer()
        const wrong = await new Promise((resolve) => {
          buffer.onupdateend = () => resolve(null)
          buffer.onerror = () => resolve(`${name} is not taken`)
          buffer.appendBuffer(bytes)
        })
        if (wrong) return wrong
      }
      source.endOfStream()
      return null
    }
  })
})
after(() => browser?.close())

/** The renditions of a master playlist: where, of which type, how large. */
const renditions = (master) =>
  phone.evaluate(async (master) => {
    const text = await (await fetch(master)).text()
    const found = text.matchAll(/#EXT-X-STREAM-INF:(.*)\n(.+)/g)
    return [...found].map(([, said, name]) => ({
      list: new URL(name, new URL(master, location)).href,
      type: `video/mp4; codecs="${/CODECS="(.+?)"/.exec(said)[1]}"`,
      size: /RESOLUTION=(\d+)x(\d+)/.exec(said).slice(1).map(Number),
    }))
  }, master)

function toItsEnd(how, what, seconds, size) {
  assert.equal(how.error, null, `${what}: ${how.error}`)
  assert.ok(Math.abs(how.seconds - seconds) < 0.3, `${what} ends at ${how.seconds} s of ${seconds}`)
  assert.ok(how.pictures > 0 && how.corrupted === 0, `${what}: ${how.pictures} pictures, ${how.corrupted} corrupted`)
  if (size) assert.deepEqual(how.size, size, what)
}

for (const { id, name } of clips) {
  test(`${name}: every rendition, and the film`, async () => {
    const { media } = await phone.evaluate(async (id) => (await fetch(`/api/v1/clips/${id}`)).json(), id)
    const seconds = media.duration_ms / 1000
    const all = media.hls ? await renditions(media.hls) : []
    assert.ok(all.length > 0 || media.mp4, 'there is something to play')
    assert.equal(all.length, media.renditions.length, 'as many as there are')
    const shown = []
    for (const { list, type, size } of all) {
      const how = await phone.evaluate(([list, type]) => window.play(window.fed(list, type)), [list, type])
      toItsEnd(how, size.join('x'), seconds, size)
      shown.push(how.pictures)
    }
    if (all.length) assert.ok(Math.min(...shown) >= 0.9 * Math.max(...shown), `each shows as many pictures: ${shown}`)
    const film = (src) => phone.evaluate((src) => window.play((video) => ((video.src = src), null)), src)
    if (media.mp4) toItsEnd(await film(media.mp4), 'the film', seconds)
    const reads = await phone.evaluate(() => !!document.createElement('video').canPlayType('application/vnd.apple.mpegurl'))
    if (reads && media.hls) toItsEnd(await film(media.hls), 'the playlist', seconds)
  })
}
