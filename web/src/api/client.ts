import createClient, { type Middleware } from 'openapi-fetch'
import type { paths } from './schema'

/** The one shape of everything that can go wrong: what happened, what to do next. */
export class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly next_step: string,
    readonly status = 0,
    readonly request_id?: string,
  ) {
    super(message)
  }
  /** The request never reached the server or never came back: nothing is known to be wrong. */
  get offline() {
    return this.status === 0
  }
  /** Our server said so: it names each request. A proxy's or a portal's page says nothing about what was asked for. */
  get ours() {
    return this.request_id !== undefined
  }
}

export function offlineFailure() {
  return new Failure('offline', '现在没有信号，没连上。', '有信号了再点一次，填好的都还在。')
}

/** Reads an error answer, whoever wrote it: our API, or a proxy that only knows HTML. */
export async function failureOf(response: Response): Promise<Failure> {
  return failureFrom(response.status, await response.text().catch(() => ''))
}

export function failureFrom(status: number, text: string): Failure {
  try {
    const body = JSON.parse(text) as { code?: string; message?: string; next_step?: string; request_id?: string }
    if (body.code && body.message) return new Failure(body.code, body.message, body.next_step ?? '', status, body.request_id)
  } catch {
    /* not ours */
  }
  if (status === 401) return new Failure('unauthorized', '要先登录。', '用手机号和密码登录，登录完回到这里。', status)
  if (status === 404) return new Failure('not_found', '这里没有东西，可能已经收回了。', '回到首页看看。', status)
  if (status === 429) return new Failure('too_many', '点得太快了。', '歇一分钟再点。', status)
  return new Failure('unreachable', '老师那边的机器没接住。', '东西都还在，过一会儿再试。', status)
}

const listeners = new Set<() => void>()
/** Called when the server says that nobody is signed in any more. */
export function onSignedOut(listener: () => void) {
  listeners.add(listener)
}

export const tellSignedOut = () => listeners.forEach((tell) => tell())

const oneShape: Middleware = {
  async onResponse({ response, schemaPath }) {
    if (response.ok) return
    const failure = await failureOf(response)
    // A wrong password says nothing of who is signed in.
    if (failure.code === 'signed_out' && failure.ours && schemaPath !== '/api/v1/session') tellSignedOut()
    throw failure
  },
  onError({ error }) {
    return error instanceof Failure ? error : offlineFailure()
  },
}

export const api = createClient<paths>({ baseUrl: location.origin, credentials: 'same-origin' })
api.use(oneShape)

/** The body of an answer. Errors have been thrown as a Failure before. */
export async function data<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T
}

export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('page', '这一页出了点岔子。', '退回去再进来一次，传好的都在。')
}
