// Words under the picture: which are shown, and what they are called. On at first where there are any; who turns them off
// does not see them again until she turns them on.
import { computed, ref, watch, type Ref } from 'vue'
import type { Caption } from '@/api/types'

const KEPT = 'weijia.captions'
const OFF = 'off'
const WORDS: Record<string, string> = { zh: '中文', en: '英文', ja: '日文', ko: '韩文', bo: '藏文', ug: '维文', mn: '蒙文' }
/** What she may say that a file of hers is in. */
export const LANGUAGES = [['zh', '中文'], ['en', '英文'], ['und', '别的']] as const

export function captionWord(caption: Pick<Caption, 'language' | 'title'>): string {
  return caption.title ?? WORDS[caption.language.split('-')[0]!] ?? '字幕'
}

/** Two may be in one language. */
export const whence = (caption: Pick<Caption, 'origin'>) => (caption.origin === 'embedded' ? '片子里带的' : '后来加的')

/** Signed addresses change with the hour; the name at their end stays. */
export const captionName = (caption: Pick<Caption, 'url'>) => caption.url.split('/').pop()!

/** The one to show: what she picked here, otherwise the language she chose last, otherwise the first; none where she wants none. */
export function shownCaption<T extends Pick<Caption, 'language' | 'url'>>(captions: readonly T[], wish: string | null, picked: string | null): T | null {
  if (wish === OFF) return null
  return captions.find((each) => captionName(each) === picked) ?? captions.find((each) => each.language === wish) ?? captions[0] ?? null
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT)
  } catch {
    return null // a browser that keeps nothing
  }
}

export function useCaptions(video: Ref<HTMLVideoElement | null | undefined>, captions: () => readonly Caption[]) {
  const wish = ref(kept())
  const picked = ref<string | null>(null)
  const shown = computed(() => shownCaption(captions(), wish.value, picked.value))
  function choose(caption: Caption | null) {
    // With nothing to pick from she has picked none: one that comes later in her language is shown.
    picked.value = caption && captions().length > 1 ? captionName(caption) : null
    wish.value = caption?.language ?? OFF
    try {
      localStorage.setItem(KEPT, wish.value)
    } catch {
      /* it holds until the page is closed */
    }
  }
  watch(
    [video, () => captions().map(captionName).join(), shown],
    () => {
      const name = shown.value && captionName(shown.value)
      for (const each of video.value?.querySelectorAll('track') ?? []) {
        each.track.mode = name && each.src.endsWith(name) ? 'showing' : 'disabled'
      }
    },
    { flush: 'post', immediate: true },
  )
  return { shown, choose }
}
