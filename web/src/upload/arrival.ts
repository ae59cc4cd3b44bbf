// What the server knows of a clip that is on its way or has just arrived.
import { api, asFailure, data } from '@/api/client'
import type { Refusal } from '@/api/types'
import { leaving } from '@/clips/leaving'
import { pause } from './phone'
import { afterLoss } from './refusals'
import type { Draft, Event } from './state'
import { dropFile } from './store'
import { isSafe, wordOf, type Word } from './word'

const clipOf = (draft: Draft) => data(api.GET('/api/v1/clips/{clip}', { params: { path: { clip: draft.clip_id ?? '' } } }))
const versionOf = (draft: Draft, clip: Awaited<ReturnType<typeof clipOf>>) =>
  clip.versions.find(({ id }) => id === (draft.version_id ?? clip.version)) ?? null

/** How much the server has stored, without disturbing the upload. */
export async function durableOf(draft: Draft): Promise<number | null> {
  if (!draft.clip_id) return null
  const { upload } = await clipOf(draft)
  return upload && upload.url === draft.url ? upload.offset : null
}

/** What became of an upload that the server no longer takes bytes for. Throws when nobody answers. */
export async function becameOf(draft: Draft): Promise<{ word: Word; refusal: Refusal | null } | null> {
  if (!draft.clip_id || !draft.version_id) return null
  try {
    const version = versionOf(draft, await clipOf(draft))
    return { word: wordOf(version, false), refusal: version?.refusal ?? null }
  } catch (error) {
    const { status, ours } = asFailure(error)
    if (status === 404 && ours) return null
    throw error
  }
}

/**
 * She has taken away one that was refused: it leaves her clips too, where nothing of that clip ever played or still may.
 * False: nobody of ours has answered.
 */
export async function takenBack(draft: Draft): Promise<boolean> {
  if (!draft.clip_id || !draft.version_id) return true
  try {
    const { state, versions } = await clipOf(draft)
    const dead = versions.every(({ media_state, playable }) => !playable && ['failed', 'abandoned'].includes(media_state))
    const ours = versions.some(({ id, media_state }) => id === draft.version_id && media_state === 'failed')
    if (state !== 'draft' || !dead || !ours) return true
    await api.DELETE('/api/v1/clips/{clip}', { params: { path: { clip: draft.clip_id } } })
    leaving.add(draft.clip_id)
    return true
  } catch (error) {
    const { status, ours } = asFailure(error)
    return ours && status !== 401
  }
}

interface Watcher {
  draftOf(id: string): Draft | null
  tell(id: string, event: Event): void
  /** Whether the phone still has the film. */
  has(draft: Draft): Promise<boolean>
  newKey(): string
}

/** The last byte was acknowledged, and yet it waits for bytes: believed after so many answers, a lagging one may be old. */
const SURE = 3

/** After the last byte: asks politely until the clip plays or is refused. True: it is to be sent again. */
export async function watch(id: string, { draftOf, tell, has, newKey }: Watcher): Promise<boolean> {
  let coming = 0
  for (let tries = 0; ; tries++) {
    const draft = draftOf(id)
    if (!draft || draft.phase !== 'preparing' || !draft.clip_id) return false
    try {
      const clip = await clipOf(draft)
      const version = versionOf(draft, clip)
      const word = wordOf(version, true)
      if (clip.state === 'withdrawn') return tell(id, { type: 'cancel' }), false
      if (isSafe(word)) void dropFile(id)
      coming = word === 'coming' ? coming + 1 : 0
      if (coming === SURE) return tell(id, { type: 'not_all_there' }), true
      if (word === 'lost' && (!version?.refusal || (await has(draft)))) {
        for (const event of afterLoss(draft, newKey(), Date.now())) tell(id, event)
        return true
      }
      if (version?.refusal) tell(id, { type: 'refused', refusal: version.refusal })
      else if (word === 'plays') tell(id, { type: 'ready', what_next: clip.what_next })
      else if (word === 'there') tell(id, { type: 'preparing', what_next: clip.what_next })
    } catch (error) {
      const { status, ours } = asFailure(error)
      if (status === 404 && ours) return tell(id, { type: 'cancel' }), false
    }
    await pause(Math.min(15_000, 1500 * 1.3 ** tries))
  }
}
