// Bytes that the server has of her already are not sent again. Asked first by length alone, which costs nothing: only a
// film as long as one of hers to the byte is hashed.
import { api, asFailure, data } from '@/api/client'
import { metadataOf } from './metadata'
import { isForLater } from './refusals'
import { rootOf } from './root'
import type { Draft } from './state'

export interface Had {
  clip_id: string
  version_id: string
}

const ASK_MS = 20_000
/** The copy goes on there even if nobody waits; asked again, it is the same one. */
const COPY_MS = 120_000

/** A line that is cut says nothing, for minutes: the phone knows earlier. */
async function within<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const patience = new AbortController()
  const enough = () => patience.abort()
  const timer = window.setTimeout(enough, ms)
  window.addEventListener('offline', enough)
  try {
    return await ask(patience.signal)
  } finally {
    window.clearTimeout(timer)
    window.removeEventListener('offline', enough)
  }
}

/** Null: it is to be sent. Throws when nobody answered. */
export async function reuse(draft: Draft, file: Blob): Promise<Had | null> {
  // A browser hashes only where nobody can change the page on the way.
  if (!crypto.subtle) return null
  // What is refused here is refused in the same words when it is sent.
  const none = (error: unknown) => {
    const { status, code } = asFailure(error)
    if ((status > 401 && status < 500 && status !== 429) || isForLater(code)) return null
    throw error
  }
  const bytes = draft.size
  const worth = await within(ASK_MS, (signal) => data(api.GET('/api/v1/uploads/same', { params: { query: { bytes } }, signal }))).catch(none)
  if (!worth?.known) return null
  const { filename, filetype, title, assignment, clip } = metadataOf(draft)
  const body = { bytes, root_sha256: await rootOf(file), filename, content_type: filetype, title, assignment, clip }
  const header = { 'Idempotency-Key': draft.key }
  const made = await within(COPY_MS, (signal) => data(api.POST('/api/v1/uploads/same', { params: { header }, body, signal }))).catch(none)
  return made && { clip_id: made.clip, version_id: made.version }
}
