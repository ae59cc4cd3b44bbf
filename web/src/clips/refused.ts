// Which picture stands beside the reason why a file was not taken: she knows it before she has read a word.
import type { IconName } from '@/shared/Icon.vue'

const ICONS: Record<string, IconName> = {
  not_a_video: 'pick',
  playlist: 'pick',
  empty: 'pick',
  incomplete: 'half',
  damaged: 'cracked',
  no_picture: 'listen',
  unreadable_codec: 'film',
  encrypted: 'lock',
  too_many_pixels: 'frame',
  too_many_streams: 'clips',
  too_long: 'clock',
  too_big: 'frame',
  lost: 'redo',
  processing_failed: 'ask',
}

/** Of a reason that is about something else than the file: a question mark. */
export const refusedIcon = (code: string | null | undefined): IconName => ICONS[code ?? ''] ?? 'help'
