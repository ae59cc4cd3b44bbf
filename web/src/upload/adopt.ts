// A creation whose answer was lost on the way has made an upload all the same. Before asking for
// another one, look for it: the same title and length, nothing in it yet, and no draft of ours on it.
import { api, data } from '@/api/client'
import type { Clip } from '@/api/types'
import type { Draft } from './state'

export interface Adopted {
  url: string
  clip_id: string
  version_id: string
}

export async function adopt(draft: Draft, taken: ReadonlySet<string>): Promise<Adopted | null> {
  const clip = (id: string) => data(api.GET('/api/v1/clips/{clip}', { params: { path: { clip: id } } }))
  if (draft.clip) return fits(draft, await clip(draft.clip), taken)
  const { clips } = await data(api.GET('/api/v1/clips', {}))
  for (const each of clips) {
    if (each.media_state !== 'uploading' || each.title !== draft.title) continue
    const found = fits(draft, await clip(each.id), taken)
    if (found) return found
  }
  return null
}

/** Pure: whether this clip's open upload can be the one that the draft asked for. */
export function fits(draft: Pick<Draft, 'size'>, clip: Pick<Clip, 'id' | 'version' | 'upload'>, taken: ReadonlySet<string>): Adopted | null {
  const upload = clip.upload
  if (!upload || upload.length !== draft.size || upload.offset !== 0 || taken.has(upload.url)) return null
  return { url: upload.url, clip_id: clip.id, version_id: clip.version }
}
