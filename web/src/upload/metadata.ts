import type { Draft } from './state'

/** What the server is told about a file, however its bytes get there. */
export interface Metadata {
  filename: string
  filetype: string
  title: string
  assignment?: string
  clip?: string
}
export function metadataOf(draft: Draft): Metadata {
  const meta: Metadata = { filename: draft.filename, filetype: draft.filetype, title: draft.title }
  if (draft.assignment) meta.assignment = draft.assignment.code
  const clip = draft.clip ?? draft.clip_id
  if (clip) meta.clip = clip
  return meta
}
