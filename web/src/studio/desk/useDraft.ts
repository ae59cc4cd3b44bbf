// Keeps a review safe while it is written: in this browser at once, on the server a second later, and
// one with what another window or an earlier evening left there.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { say } from '@/shared/toast'
import { asFailure, Failure, getReviewDesk, saveReviewDraft, sendReview } from '../api'
import type { Desk, SentReview } from '../types'
import { adoptIds, merge, same, toBody, toWork, type Work } from './draft'
import { readCopy, writeCopy, writeWords } from './local'

const CALM = 900
const RETRY = 8_000

export type SaveState = 'saved' | 'typing' | 'saving' | 'offline' | 'refused' | 'lost'

export function useDraft(ticket: string, desk: Desk) {
  const server = toWork(desk.draft)
  let rev = desk.draft.rev
  /** What the server has, as far as this window knows. */
  let base = copy(server)
  const work = ref<Work>(server)
  const state = ref<SaveState>('saved')
  const savedAt = ref<number | null>(null)
  const failure = shallowRef<Failure | null>(null)
  const sending = ref(false)
  let timer = 0
  let running: Promise<void> | null = null
  let closed = desk.ticket.state === 'sent'

  const left = closed ? null : readCopy(ticket)
  if (left && !same(left.work, base)) {
    work.value = left.rev === rev ? left.work : merge(left.base, left.work, base)
    say('上次没来得及存的，接着在这里。')
    plan(0)
  }
  const dirty = () => !same(work.value, base)

  watch(work, () => {
    if (closed || !dirty()) return
    writeCopy(ticket, { rev, base, work: work.value, at: Date.now() })
    if (state.value !== 'lost') {
      if (state.value !== 'saving') state.value = 'typing'
      plan(CALM)
    }
  }, { deep: true })

  function plan(wait: number) {
    clearTimeout(timer)
    timer = window.setTimeout(() => { void save() }, wait)
  }

  function save(keepalive = false): Promise<void> {
    running ??= saveOnce(keepalive).finally(() => { running = null })
    return running
  }

  async function saveOnce(keepalive: boolean) {
    clearTimeout(timer)
    if (closed || !dirty()) return
    const sent = copy(work.value)
    state.value = 'saving'
    try {
      const saved = await saveReviewDraft(ticket, toBody(sent, rev), keepalive)
      rev = saved.rev
      base = adoptIds(sent, sent, saved)
      const now = adoptIds(work.value, sent, saved)
      if (!same(now, work.value)) work.value = now
      savedAt.value = Date.now()
      failure.value = null
      state.value = 'saved'
      if (dirty()) {
        state.value = 'typing'
        plan(CALM)
      } else writeCopy(ticket, null)
    } catch (error) {
      await onTrouble(asFailure(error))
    }
  }

  async function onTrouble(what: Failure) {
    failure.value = what
    if (what.status === 409 || what.status === 404) return void (await bringTogether())
    if (what.offline || what.status >= 500 || what.status === 429 || what.status === 401) {
      state.value = 'offline'
      plan(RETRY)
    } else state.value = 'refused'
  }

  /** Somebody else saved first, or the ticket is no longer held: nothing written here is given up. */
  async function bringTogether() {
    try {
      const found = await getReviewDesk(ticket)
      if (!found.ticket.mine || found.ticket.state !== 'claimed') {
        state.value = 'lost'
        return
      }
      const theirs = toWork(found.draft)
      const older = found.draft.rev === rev
      work.value = merge(base, work.value, theirs)
      base = theirs
      rev = found.draft.rev
      if (older) {
        // the same revision and still refused: not a matter of two windows, so do not turn in circles
        state.value = 'refused'
        return
      }
      say('这条在别的窗口也改过，两边写的都留着。')
      plan(0)
    } catch (error) {
      // why the save was refused is the news; that the desk is shut now only follows from it
      const shut = !asFailure(error).offline
      state.value = shut ? 'lost' : 'offline'
      if (!shut) plan(RETRY)
    }
  }

  /** After the ticket was claimed anew. */
  async function resume() {
    state.value = 'typing'
    await bringTogether()
  }

  async function settleSaves() {
    for (let turn = 0; turn < 4 && (running || dirty()); turn++) await save()
  }

  async function send(): Promise<SentReview> {
    sending.value = true
    try {
      await settleSaves()
      if (dirty()) throw failure.value ?? new Failure('unsaved', '还没存好，先不发。', '写的都在，等一会儿再点“发给她”。')
      const review = await sendReview(ticket, { rev, outcome: work.value.outcome! })
      closed = true
      writeCopy(ticket, null)
      writeWords(ticket, null)
      return review
    } finally {
      sending.value = false
    }
  }

  const flush = () => { if (dirty()) void save(true) }
  const onHide = () => { if (document.visibilityState === 'hidden') flush() }
  const onOnline = () => { if (state.value === 'offline') plan(0) }
  document.addEventListener('visibilitychange', onHide)
  window.addEventListener('pagehide', flush)
  window.addEventListener('online', onOnline)
  onScopeDispose(() => {
    flush()
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', onHide)
    window.removeEventListener('pagehide', flush)
    window.removeEventListener('online', onOnline)
  })

  return { work, state: computed(() => state.value), savedAt, failure, sending, save, send, resume, settleSaves }
}

function copy(work: Work): Work {
  return JSON.parse(JSON.stringify(work)) as Work
}
