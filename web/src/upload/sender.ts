// One try to bring one file to the server, by tus. What to do after a try is decided in uploads.ts.
import { DetailedError, Upload } from 'tus-js-client'
import { failureFrom, type Failure } from '@/api/client'
import { judge, type Verdict } from './pace'
import type { Draft } from './state'

const ENDPOINT = location.origin + '/api/v1/uploads'
/** A line that carries nothing for so long is dead, whatever the browser thinks of it. */
const SILENCE_MS = 30_000

export type Outcome =
  | { how: 'sent' }
  | { how: 'stopped' }
  | { how: Verdict; failure: Failure | null; from: number; sent: number }

export interface Hooks {
  created(url: string, clip_id: string | null, version_id: string | null): void
  progress(offset: number): void
}

export interface Running {
  outcome: Promise<Outcome>
  stop(): void
}

export function send(draft: Draft, file: Blob, chunk_size: number, hooks: Hooks): Running {
  let settle!: (outcome: Outcome) => void
  const outcome = new Promise<Outcome>((resolve) => (settle = resolve))
  let silence = 0
  let from = draft.url ? -1 : 0
  let reached = 0
  let clip_id: string | null = null
  let version_id: string | null = null

  const listen = () => {
    window.clearTimeout(silence)
    silence = window.setTimeout(() => end({ how: 'wait', failure: null, from, sent: reached - from }), SILENCE_MS)
  }
  let ended = false
  const end = (result: Outcome) => {
    if (ended) return
    ended = true
    window.clearTimeout(silence)
    if (result.how !== 'sent') void upload.abort(false).catch(() => undefined)
    settle(result)
  }

  const upload = new Upload(file as File, {
    // Without an endpoint a failed HEAD is an error that we judge; with one the library would start from zero.
    endpoint: draft.url ? null : ENDPOINT,
    uploadUrl: draft.url,
    uploadSize: draft.size,
    chunkSize: chunk_size,
    retryDelays: null,
    storeFingerprintForResuming: false,
    metadata: metadataOf(draft),
    onAfterResponse(request, response) {
      listen()
      if (request.getMethod() === 'POST') {
        clip_id = response.getHeader('X-Clip-Id') ?? null
        version_id = response.getHeader('X-Version-Id') ?? null
      }
      if (request.getMethod() === 'HEAD') from = reached = Number(response.getHeader('Upload-Offset') ?? 0)
    },
    onUploadUrlAvailable() {
      if (upload.url) hooks.created(new URL(upload.url, location.href).pathname, clip_id, version_id)
    },
    onProgress(sent) {
      if (ended) return
      listen()
      reached = sent
      hooks.progress(sent)
    },
    onSuccess: () => end({ how: 'sent' }),
    onError(error) {
      const response = error instanceof DetailedError ? error.originalResponse : null
      const failure = response ? failureFrom(response.getStatus(), response.getBody()) : null
      const how = judge(response?.getStatus() ?? 0, codeIn(response?.getBody()))
      end({ how, failure, from: Math.max(0, from), sent: Math.max(0, reached - Math.max(0, from)) })
    },
  })
  listen()
  upload.start()
  return { outcome, stop: () => end({ how: 'stopped' }) }
}

/** Takes the half-sent upload back from the server. */
export async function terminate(url: string) {
  await Upload.terminate(url, { retryDelays: null }).catch(() => undefined)
}

function metadataOf(draft: Draft): Record<string, string> {
  const meta: Record<string, string> = { filename: draft.filename, filetype: draft.filetype, title: draft.title }
  if (draft.assignment) meta.assignment = draft.assignment.code
  const clip = draft.clip ?? draft.clip_id
  if (clip) meta.clip = clip
  return meta
}

function codeIn(body: string | undefined): string | null {
  try {
    return (JSON.parse(body ?? '') as { code?: string }).code ?? null
  } catch {
    return null
  }
}
