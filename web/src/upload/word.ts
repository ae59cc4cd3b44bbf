// What the server's word about a film means for the copy on the phone. Pure.
import type { Version } from '@/api/types'

export type Word =
  | 'coming' // the server waits for bytes
  | 'there' // it has all of them
  | 'plays'
  | 'lost' // it has lost what it had
  | 'refused' // the film itself is not taken

/**
 * `version` is null when the server knows nothing of it any more. `whole`: the server has said before that it had every
 * byte, so that what lacks something now is the film itself, and sending it again would not help.
 */
export function wordOf(version: Pick<Version, 'media_state' | 'playable' | 'refusal'> | null, whole: boolean): Word {
  if (!version || version.media_state === 'abandoned') return 'lost'
  if (version.media_state === 'uploading') return 'coming'
  if (version.media_state === 'failed') {
    const code = version.refusal?.code
    return code === 'lost' || (code === 'incomplete' && !whole) ? 'lost' : 'refused'
  }
  return version.playable ? 'plays' : 'there'
}

/** Only then may the phone have its room back. */
export const isSafe = (word: Word) => word === 'there' || word === 'plays'
