import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '@/api/client'
import { becameOf, takenBack, watch } from './arrival'
import { step, type Draft, type Event } from './state'
import { draft } from './testing'
import { wordOf } from './word'

/** What the server answers, one after the other; the last one for ever. */
let answers: (object | Failure)[] = []
const dropped = vi.hoisted(() => vi.fn())
const withdrawn = vi.hoisted(() => vi.fn())
vi.hoisted(() => vi.stubGlobal('location', { origin: 'http://test' }))
vi.mock('@/api/client', async (real) => ({
  ...(await real<object>()),
  api: {
    GET: async () => {
      const answer = answers.length > 1 ? answers.shift()! : answers[0]
      if (answer instanceof Failure) throw answer
      return { data: answer }
    },
    DELETE: async (_: string, { params }: { params: { path: { clip: string } } }) => withdrawn(params.path.clip),
  },
}))
vi.mock('./phone', () => ({ pause: async () => undefined }))
vi.mock('./store', () => ({ dropFile: dropped }))

const refusal = (code: string) => ({ code, message: '怎么了。', next_step: '怎么办。' })
const version = (media_state: string, more = {}) => ({ id: 'ver_1', media_state, playable: false, refusal: null, ...more })
const clip = (media_state: string, more = {}) => ({ state: 'draft', what_next: '等等。', version: 'ver_1', upload: null, versions: [version(media_state, more)] })
const failed = (code: string) => clip('failed', { refusal: refusal(code) })
const ready = clip('ready', { playable: true })
const portal = new Failure('not_found', '这里没有东西。', '', 404)
const not_there = new Failure('not_found', '没找到这个。', '', 404, 'req_1')

let it_is: Draft
async function watched(has_copy = true) {
  const tell = (_: string, event: Event) => (it_is = step(it_is, event, 9))
  return watch('d1', { draftOf: () => it_is, tell, has: async () => has_copy, newKey: () => 'k2' })
}
beforeEach(() => {
  dropped.mockClear()
  it_is = draft({ phase: 'preparing', url: '/u/1', clip_id: 'clp_1', version_id: 'ver_1', offset: 30_000_000 })
})

describe('the copy on the phone', () => {
  it('goes when the server has all of the film', async () => {
    answers = [clip('received'), ready]
    expect(await watched()).toBe(false)
    expect([it_is.phase, dropped.mock.calls.length]).toEqual(['arrived', 2])
  })
  it('stays while the server still waits for bytes, and they are sent', async () => {
    answers = [clip('uploading')]
    expect(await watched()).toBe(true)
    expect([it_is.phase, it_is.url, dropped.mock.calls.length]).toEqual(['queued', '/u/1', 0])
  })
  it('is sent again when the server has lost the film, or all memory of it', async () => {
    for (const answer of [failed('lost'), clip('abandoned'), { ...ready, versions: [version('ready', { id: 'ver_0' })] }]) {
      it_is = draft({ ...it_is, phase: 'preparing', url: '/u/1', lost_times: 0 })
      answers = [answer]
      expect(await watched()).toBe(true)
      expect(it_is).toMatchObject({ phase: 'queued', url: null, offset: 0, key: 'k2' })
    }
    expect(dropped).not.toHaveBeenCalled()
  })
  it('does not go round in circles: a film that came whole and is cut off is told to her', async () => {
    answers = [failed('incomplete')]
    expect(await watched()).toBe(false)
    expect(it_is).toMatchObject({ phase: 'broken', refusal: refusal('incomplete') })
    expect(dropped).not.toHaveBeenCalled()
  })
  it('cannot be sent again when it is gone: she is told', async () => {
    answers = [clip('received'), failed('lost')]
    expect(await watched(false)).toBe(false)
    expect(it_is).toMatchObject({ phase: 'broken', refusal: refusal('lost') })
  })
})

describe('an upload that takes no more bytes', () => {
  const became = async (answer: object | Failure) => {
    answers = [answer]
    return (await becameOf(it_is))?.word ?? null
  }
  it('has arrived only when the server says that it has it', async () => {
    expect(await became(clip('received'))).toBe('there')
    expect(await became(ready)).toBe('plays')
    expect(await became(failed('not_a_video'))).toBe('refused')
    expect(await became(failed('incomplete'))).toBe('lost')
    expect(await became(failed('lost'))).toBe('lost')
    expect(await became(not_there)).toBe(null)
  })
  it('is asked about again where nobody of ours has answered', async () => {
    await expect(became(portal)).rejects.toBe(portal)
  })
})

describe('one that was refused and that she takes away', () => {
  const taken = async (answer: object | Failure) => {
    withdrawn.mockClear()
    answers = [answer]
    return [await takenBack(draft({ ...it_is, phase: 'broken' })), withdrawn.mock.calls.flat()]
  }
  it('leaves her clips', async () => {
    expect(await taken(failed('not_a_video'))).toEqual([true, ['clp_1']])
    const twice = { ...failed('not_a_video'), versions: [version('abandoned', { id: 'ver_0' }), version('failed')] }
    expect(await taken(twice)).toEqual([true, ['clp_1']])
  })
  it('leaves nothing that has played, is handed in or is still coming', async () => {
    const beside = (media_state: string, more = {}) => ({ ...failed('not_a_video'), versions: [version(media_state, { id: 'ver_0', ...more }), version('failed')] })
    for (const answer of [beside('ready', { playable: true }), beside('uploading'), beside('processing'), ready, { ...failed('not_a_video'), state: 'submitted' }]) {
      expect(await taken(answer)).toEqual([true, []])
    }
  })
  it('is asked about again only where nobody of ours has answered', async () => {
    expect(await taken(portal)).toEqual([false, []])
    expect(await taken(not_there)).toEqual([true, []])
  })
})

it('is not taken away because a portal finds nothing', async () => {
  answers = [portal, portal, ready]
  await watched()
  expect([it_is.phase, it_is.cancelled_at]).toEqual(['arrived', null])
  it_is = draft({ ...it_is, phase: 'preparing' })
  answers = [not_there]
  await watched()
  expect(it_is.cancelled_at).toBe(9)
})

it('knows what is safe with the server', () => {
  const of = (media_state: 'processing' | 'failed', code: string | null, whole: boolean) =>
    wordOf({ media_state, playable: false, refusal: code ? refusal(code) : null }, whole)
  expect(of('processing', null, true)).toBe('there')
  expect([of('failed', 'incomplete', false), of('failed', 'incomplete', true)]).toEqual(['lost', 'refused'])
  expect([of('failed', 'lost', true), wordOf(null, true)]).toEqual(['lost', 'lost'])
})
