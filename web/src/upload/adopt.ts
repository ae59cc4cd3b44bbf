// A creation whose answer was lost on the way has made an upload all the same. Before asking for
// another one, look for it: the same title and length, nothing in it yet, and no draft of ours on it.
import { api, data } from '@/api/client'
import { fits, type Adopted, type Draft } from './state'

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
