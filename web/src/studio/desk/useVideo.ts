// The player of the desk: one clock in milliseconds that the video, the storyboard and the marks share.
import { onScopeDispose, ref, watch, type Ref } from 'vue'
import type { Media } from '../types'

const RATES = [1, 1.5, 2, 0.5]
/** Phones film at 30 frames a second, nearly all of them; a step of the arrows is one of those. */
const FRAME = 1000 / 30

export type Video = ReturnType<typeof useVideo>

export function useVideo(media: Ref<Media | null>) {
  const el = ref<HTMLVideoElement | null>(null)
  const ms = ref(0)
  const durationMs = ref(0)
  const playing = ref(false)
  const rate = ref(1)
  const broken = ref(false)
  let hls: { destroy(): void } | null = null
  let raf = 0
  let reverse = 0

  // A signed address that is new but of the same version must not throw the mentor back to the start.
  watch([el, () => media.value?.mp4, () => media.value?.hls], () => { void load() })
  watch(media, found => { durationMs.value ||= found?.duration_ms ?? 0 }, { immediate: true })

  async function load() {
    const video = el.value
    if (!video || !media.value) return
    const at = ms.value
    release()
    broken.value = false
    const { hls, mp4, renditions } = media.value
    // The largest rendition shows more than the film, which is for browsers that play no others.
    if (hls && (!mp4 || renditions.some(each => each.complete))) await loadHls(video, hls)
    else if (mp4) video.src = mp4
    if (at) video.addEventListener('loadedmetadata', () => seek(at), { once: true })
  }

  async function loadHls(video: HTMLVideoElement, address: string) {
    if (video.canPlayType('application/vnd.apple.mpegurl')) {
      video.src = address
      return
    }
    const { default: Hls } = await import('hls.js/light')
    if (!Hls.isSupported()) {
      if (media.value?.mp4) video.src = media.value.mp4
      else broken.value = true
      return
    }
    const player = new Hls({ startLevel: -1, startPosition: 0 })
    player.on(Hls.Events.ERROR, (_event, data) => { if (data.fatal) broken.value = true })
    player.loadSource(address)
    player.attachMedia(video)
    hls = player
  }

  function onError() {
    const video = el.value
    // the quick copy may be in a format this browser does not know; the ladder always is H.264
    if (video && media.value?.hls && !hls && video.src !== media.value.hls) {
      void loadHls(video, media.value.hls)
    } else if (!hls) broken.value = true
  }

  function release() {
    hls?.destroy()
    hls = null
    stopReverse()
  }

  function tick() {
    if (el.value) ms.value = el.value.currentTime * 1000
    raf = playing.value ? requestAnimationFrame(tick) : 0
  }

  const listeners: Record<string, () => void> = {
    play: () => { playing.value = true; cancelAnimationFrame(raf); tick() },
    pause: () => { playing.value = false },
    timeupdate: () => { if (!playing.value && el.value && !el.value.seeking) ms.value = el.value.currentTime * 1000 },
    seeked: () => { if (el.value) ms.value = el.value.currentTime * 1000 },
    durationchange: () => {
      const seconds = el.value?.duration ?? 0
      if (Number.isFinite(seconds) && seconds > 0) durationMs.value = seconds * 1000
    },
    ratechange: () => { rate.value = el.value?.playbackRate ?? 1 },
    error: onError,
  }

  function seek(to: number) {
    const target = Math.max(0, Math.min(to, Math.max(0, durationMs.value - 1)))
    ms.value = target
    if (el.value) el.value.currentTime = target / 1000
  }
  function play() {
    stopReverse()
    void el.value?.play().catch(() => undefined)
  }
  function pause() {
    stopReverse()
    el.value?.pause()
  }
  function toggle() {
    if (playing.value) pause()
    else play()
  }
  function step(frames: number) {
    pause()
    seek(ms.value + frames * FRAME)
  }
  function setRate(to: number) {
    if (el.value) el.value.playbackRate = to
  }
  function nextRate() {
    setRate(RATES[(RATES.indexOf(rate.value) + 1) % RATES.length] ?? 1)
  }
  function stopReverse() {
    clearInterval(reverse)
    reverse = 0
    speed = 0
  }
  let speed = 0
  /** The editor's three keys: l forward and faster, k stop, j back and faster. */
  function shuttle(key: 'j' | 'k' | 'l') {
    if (key === 'k') {
      pause()
      setRate(1)
    } else if (key === 'l') {
      const faster = playing.value ? Math.min(2, rate.value * 1.5 > 1.6 ? 2 : rate.value * 1.5) : 1
      play()
      setRate(faster)
    } else {
      const next = Math.min(4, speed ? speed * 2 : 1)
      pause()
      speed = next
      reverse = window.setInterval(() => {
        seek(ms.value - 80 * speed)
        if (ms.value <= 0) stopReverse()
      }, 80)
    }
  }

  onScopeDispose(() => {
    release()
    cancelAnimationFrame(raf)
  })
  return { el, ms, durationMs, playing, rate, broken, listeners, load, seek, play, pause, toggle, step, nextRate, shuttle }
}
