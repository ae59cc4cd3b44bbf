// One try to bring one file to the server, by tus. What to do after a try is decided in uploads.ts.
import { DetailedError, Upload, type HttpRequest, type HttpResponse } from 'tus-js-client'
import { failureFrom, type Failure } from '@/api/client'
import { metadataOf } from './metadata'
import { judge, MIN_CHUNK, type Pacer, type Verdict } from './pace'
import type { Draft } from './state'

export { reuse } from './same'

const ENDPOINT = location.origin + '/api/v1/uploads'
/** A line that carries nothing for so long is dead, whatever the browser thinks of it. */
const SILENCE_MS = 30_000
/** After so long it is time to see whether the server gets what we send. */
const LOOK_MS = 15_000

export type Outcome =
  | { how: 'sent' }
  | { how: 'stopped' }
  | { how: 'look' }
  /** `moved`: the server has more than before, or takes a smaller piece; the next try need not wait. */
  | { how: Verdict; failure: Failure | null; moved: boolean }

export interface Hooks {
  created(url: string, clip_id: string | null, version_id: string | null): void
  progress(offset: number): void
  /** What the server says is durable, asked without disturbing the upload; null when it doesn't say. */
  durable(): Promise<number | null>
}

export interface Running {
  outcome: Promise<Outcome>
  stop(): void
}

export function send(draft: Draft, file: Blob, pacer: Pacer, hooks: Hooks): Running {
  let settle!: (outcome: Outcome) => void
  const outcome = new Promise<Outcome>((resolve) => (settle = resolve))
  let silence = 0
  let look = 0
  /** Where this try began, once the server has said so; how far it has come since, by our belief and by its word. */
  let from: number | null = null
  let reached = 0
  let acknowledged = 0
  let piece_began = Date.now()
  let clip_id: string | null = null
  let version_id: string | null = null

  const listen = () => {
    window.clearTimeout(silence)
    silence = window.setTimeout(unplugged, SILENCE_MS)
  }
  // The phone knows at once what a request finds out after half a minute.
  const unplugged = () => end({ how: 'line', failure: null, moved: false })
  window.addEventListener('offline', unplugged)
  let ended = false
  const end = (result: Outcome) => {
    if (ended) return
    ended = true
    window.clearTimeout(silence)
    window.clearTimeout(look)
    window.removeEventListener('offline', unplugged)
    if ('moved' in result) result.moved = from !== null && acknowledged > from
    if (result.how === 'too_much') {
      result.moved = pacer.tooMuch(reached - acknowledged) || result.moved
      // Nobody has got what was refused.
      hooks.progress(acknowledged)
    } else if (result.how !== 'sent' && result.how !== 'stopped' && from !== null) {
      pacer.ended(draft.id, acknowledged, reached - acknowledged, Date.now() - piece_began)
    }
    if (result.how !== 'sent') void upload.abort(false).catch(() => undefined)
    settle(result)
  }
  const begin = (at: number) => {
    from = reached = acknowledged = at
    piece_began = Date.now()
    upload.options.chunkSize = pacer.begins(draft.id, at)
    if (pacer.unsure) lookLater()
  }
  const lookLater = () => (look = window.setTimeout(() => void lookWhetherItArrives(), LOOK_MS))
  /** A HEAD ends the request that is under way, so first a question that doesn't. */
  const lookWhetherItArrives = async () => {
    if (ended || reached === draft.size) return
    // On a thin line too little is on its way yet to say anything.
    if (reached - acknowledged < MIN_CHUNK) return lookLater()
    const durable = await hooks.durable().catch(() => null)
    if (ended || reached === draft.size) return
    if (durable !== null && durable > acknowledged) pacer.arrives()
    else end({ how: 'look' })
  }
  const codeIn = (body: string) => {
    try {
      return (JSON.parse(body) as { code?: string }).code ?? null
    } catch {
      return null
    }
  }

  const upload = new Upload(file as File, {
    // Without an endpoint a failed HEAD is an error that we judge; with one the library would start from zero.
    endpoint: draft.url ? null : ENDPOINT,
    uploadUrl: draft.url,
    uploadSize: draft.size,
    retryDelays: null,
    storeFingerprintForResuming: false,
    metadata: { ...metadataOf(draft) },
    onBeforeRequest(request: HttpRequest) {
      if (request.getMethod() === 'POST') request.setHeader('Idempotency-Key', draft.key)
      if (request.getMethod() === 'PATCH') piece_began = Date.now()
    },
    onAfterResponse(request: HttpRequest, response: HttpResponse) {
      listen()
      const fine = response.getStatus() < 300 && isOurs(response)
      if (request.getMethod() === 'POST' && fine) {
        clip_id = response.getHeader('X-Clip-Id') ?? null
        version_id = response.getHeader('X-Version-Id') ?? null
        begin(0)
      }
      if (request.getMethod() === 'HEAD' && fine) begin(Number(response.getHeader('Upload-Offset') ?? 0))
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
    onChunkComplete(size, accepted) {
      acknowledged = accepted
      upload.options.chunkSize = pacer.acknowledged(size, Date.now() - piece_began)
    },
    onSuccess: () => end({ how: 'sent' }),
    onError(error) {
      const response = error instanceof DetailedError ? error.originalResponse : null
      const body = response?.getBody() ?? ''
      const how = judge({
        status: response?.getStatus() ?? 0,
        method: (error instanceof DetailedError && error.originalRequest.getMethod()) || '',
        ours: !!response && isOurs(response),
        code: codeIn(body),
      })
      end({ how, failure: response ? failureFrom(response.getStatus(), body) : null, moved: false })
    },
  })
  listen()
  upload.start()
  return { outcome, stop: () => end({ how: 'stopped' }) }
}

const isOurs = (response: HttpResponse) => !!response.getHeader('Tus-Resumable')

/** Takes the half-sent upload back from the server. */
export async function terminate(url: string) {
  await Upload.terminate(url, { retryDelays: null }).catch(() => undefined)
}
