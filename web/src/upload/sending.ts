// Sends what there is to send: one file at a time, in one tab at a time, until it is there.
import { ref } from 'vue'
import { Failure, tellSignedOut } from '@/api/client'
import { becameOf, durableOf, watch } from './arrival'
import { awaitsCopy, fileOf, isElsewhere } from './copies'
import { draftOf, drafts, newId, onChange, tell } from './drafts'
import { backoff, Pacer, Speed } from './pace'
import { keepAwake, lettingSleep, onLineChange, onWifi, pause, wakeUp } from './phone'
import { afterLoss, againAt, CLIP_GONE, isDue } from './refusals'
import type { Outcome, Running } from './sender'
import { mayGo, nextToSend, type Draft, type Refusal } from './state'

const speed = new Speed()
const pacer = new Pacer()
const bytes_per_second = ref(0)
let running: { id: string; sending: Running } | null = null

export const speedOf = (id: string) => (running?.id === id ? bytes_per_second.value : 0)
/** Its code is fetched when there is something to send: the page itself stays small. */
export const sender = () => import('./sender')

// She has paused it, taken it away, left the WiFi it waits for, or handed the phone on.
onChange(() => {
  if (running && !maySend(running.id)) running.sending.stop()
})
onLineChange(() => {
  pacer.lineChanged()
  if (running && !maySend(running.id)) running.sending.stop()
  pump()
})

/** As it is now: whatever was awaited, she may have said something meanwhile. */
function maySend(id: string): Draft | null {
  const draft = draftOf(id)
  return draft && mayGo(draft, onWifi()) ? draft : null
}

/** After the last byte. */
export async function follow(id: string) {
  const has = async (draft: Draft) => !!(await fileOf(draft))
  if (await watch(id, { draftOf, tell, has, newKey: newId })) pump()
}

/** Those that were put off and whose time has come; all that somebody may have made room for when the page was `opened`. */
export function takeUpPutOff(opened = false) {
  const due = [...drafts.values()].filter((draft) => isDue(draft, Date.now(), opened))
  for (const { id } of due) tell(id, { type: 'wait_turn' })
  if (due.length) pump()
}
setInterval(takeUpPutOff, 60_000)

let pumping = false
export function pump() {
  wakeUp()
  if (pumping) return
  pumping = true
  const work = () => sendAll().finally(() => (pumping = false))
  if (navigator.locks) void navigator.locks.request('weijia.uploads', work)
  else void work()
}

/** Drafts whose file only another tab has. */
const elsewhere = new Set<string>()

async function sendAll() {
  let tries = 0
  elsewhere.clear()
  for (;;) {
    for (const draft of drafts.values()) {
      if (draft.wifi_only && !onWifi() && mayGo(draft, true)) tell(draft.id, { type: 'off_wifi' })
    }
    const here = [...drafts.values()].filter((draft) => !awaitsCopy(draft) && (draft.stored !== 'copying' || !elsewhere.has(draft.id)))
    const draft = nextToSend(here, onWifi())
    if (!draft) return
    if (await sendOnce(draft)) tries = 0
    else await pause(backoff(tries++, draftOf(draft.id)?.trouble))
  }
}

/** True when the next try need not wait: the server has more than before, or something else is to be done. */
async function sendOnce({ id }: Draft): Promise<boolean> {
  const file = await fileOf(draftOf(id)!)
  let draft = maySend(id)
  if (!draft) return true
  if (!file) {
    if (await isElsewhere(draft)) elsewhere.add(id)
    else tell(id, { type: 'file_gone' })
    return true
  }
  tell(id, { type: 'start' })
  const code = await sender().catch(() => null)
  if (!(draft = maySend(id))) return true
  if (!code) {
    tell(id, { type: 'cut', trouble: 'line' })
    return false
  }
  if (!draft.url && !draft.is_new) {
    try {
      const had = await code.reuse(draft, file)
      if (had) {
        tell(id, { type: 'had', ...had })
        void follow(id)
        return true
      }
    } catch (error) {
      if (!maySend(id)) return true
      tell(id, { type: 'cut', trouble: troubleOf(error) })
      return false
    }
    tell(id, { type: 'new_bytes' })
    if (!(draft = maySend(id))) return true
  }
  return after(id, await attempt(code, draft, file))
}

/** An error loses its words where a draft is kept. */
const written = ({ code, message, next_step }: Failure): Refusal => ({ code, message, next_step })
/** What is no error of ours is a page that somebody else sent. */
const troubleOf = (error: unknown) => (!(error instanceof Failure) ? 'portal' : error.offline ? 'line' : 'server')

async function attempt(code: typeof import('./sender'), draft: Draft, file: Blob): Promise<Outcome> {
  speed.reset()
  void keepAwake()
  const sending = code.send(draft, file, pacer, {
    created: (url, clip_id, version_id) => tell(draft.id, { type: 'created', url, clip_id, version_id }),
    progress(offset) {
      speed.mark(Date.now(), offset)
      bytes_per_second.value = speed.perSecond
      tell(draft.id, { type: 'progress', offset })
    },
    durable: async () => durableOf(draftOf(draft.id) ?? draft),
  })
  running = { id: draft.id, sending }
  const outcome = await sending.outcome
  running = null
  bytes_per_second.value = 0
  lettingSleep()
  return outcome
}

async function after(id: string, outcome: Outcome): Promise<boolean> {
  switch (outcome.how) {
    case 'sent':
      tell(id, { type: 'sent' })
      void follow(id)
      return true
    case 'stopped':
    case 'look':
      return true
    case 'too_much':
      if (!outcome.moved) tell(id, { type: 'cut', trouble: 'gateway' })
      return outcome.moved
    case 'clip_gone':
      if (!draftOf(id)?.clip) {
        tell(id, { type: 'clip_gone' })
        return false
      }
      tell(id, { type: 'refused', refusal: CLIP_GONE })
      return true
    case 'refused':
      tell(id, { type: 'refused', refusal: written(outcome.failure!) })
      return true
    case 'put_off': {
      const refusal = written(outcome.failure!)
      tell(id, { type: 'put_off', refusal, again_at: againAt(refusal.code, Date.now()) })
      return true
    }
    case 'signed_out':
      tell(id, { type: 'signed_out' })
      tellSignedOut()
      return true
    case 'forgotten':
      return afterForgotten(id)
    default:
      tell(id, { type: 'cut', trouble: outcome.how })
      return outcome.moved
  }
}

/** Perhaps it is gone because all of it has arrived and only the answer was lost; perhaps the server has lost it. */
async function afterForgotten(id: string): Promise<boolean> {
  const draft = draftOf(id)
  if (!draft) return true
  let became
  try {
    became = await becameOf(draft)
  } catch (error) {
    tell(id, { type: 'cut', trouble: troubleOf(error) })
    return false
  }
  switch (became?.word) {
    case 'there':
    case 'plays':
      tell(id, { type: 'sent' })
      void follow(id)
      return true
    case 'refused':
      tell(id, { type: 'refused', refusal: became.refusal! })
      return true
    case 'lost':
      // One that was given up (`abandoned`) is not held against the server.
      if (became.refusal) {
        for (const event of afterLoss(draft, newId(), Date.now())) tell(id, event)
        return false
      }
  }
  tell(id, { type: 'forgotten', key: newId() })
  return false
}
