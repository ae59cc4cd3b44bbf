// What the server knows of a clip that is on its way or has just arrived.
import { api, asFailure, data } from '@/api/client'
import { pause } from './phone'
import type { Draft, Event } from './state'
import { dropFile } from './store'

async function clipOf(draft: Draft) {
  const clip = await data(api.GET('/api/v1/clips/{clip}', { params: { path: { clip: draft.clip_id ?? '' } } }))
  const version = clip.versions.find((each) => each.id === draft.version_id)
  return { upload: clip.upload, what_next: clip.what_next, ...(version ?? clip) }
}

/** How much the server has stored, without disturbing the upload. */
export async function durableOf(draft: Draft): Promise<number | null> {
  if (!draft.clip_id) return null
  const { upload } = await clipOf(draft)
  return upload && upload.url === draft.url ? upload.offset : null
}

export async function arrived(draft: Draft): Promise<boolean> {
  if (!draft.version_id) return false
  const clip = await clipOf(draft)
  return clip.media_state !== 'uploading' && clip.media_state !== 'abandoned'
}

/** After the last byte: asks politely until the clip plays or is refused. */
export async function watch(id: string, draftOf: (id: string) => Draft | null, tell: (id: string, event: Event) => void) {
  for (let tries = 0; ; tries++) {
    const draft = draftOf(id)
    if (!draft || draft.phase !== 'preparing' || !draft.clip_id) return
    try {
      const clip = await clipOf(draft)
      if (clip.refusal) tell(id, { type: 'refused', ...clip.refusal })
      else if (clip.playable) tell(id, { type: 'ready', what_next: clip.what_next })
      else tell(id, { type: 'preparing', what_next: clip.what_next })
      // All of it is safe with the server, so the phone gets its room back.
      void dropFile(id)
    } catch (error) {
      if (asFailure(error).status === 404) return tell(id, { type: 'cancel' })
    }
    await pause(Math.min(15_000, 1500 * 1.3 ** tries))
  }
}
