import { beforeEach, describe, expect, it, vi } from 'vitest'
import { begin, draftOf, drafts, tell } from './drafts'
import type { Outcome } from './sender'
import { draft } from './testing'

/** What happens on the phone and on the way. */
const world = vi.hoisted(() => ({
  pauses: [] as number[],
  working: Promise.resolve() as Promise<unknown>,
  sent: 0,
  reading: async (): Promise<unknown> => undefined,
  reuse: async (): Promise<unknown> => null,
  send: async (): Promise<unknown> => ({ how: 'sent' }),
}))
vi.hoisted(() => {
  vi.stubGlobal('location', { origin: 'http://test' })
  vi.stubGlobal('navigator', { locks: { request: (_: string, work: () => Promise<void>) => (world.working = work()) } })
})
vi.mock('./phone', () => ({
  keepAwake: async () => undefined, lettingSleep: () => undefined, onLineChange: () => undefined, onWifi: () => false, wakeUp: () => undefined,
  pause: async (ms: number) => {
    world.pauses.push(ms)
    if (world.pauses.length > 5) tell('d1', { type: 'pause' })
  },
}))
vi.mock('./store', () => ({
  saveDraft: async () => undefined, saveProgress: async () => undefined, heldSomewhere: async () => false,
  keptFile: async () => (await world.reading(), { file: new Blob(['x']), stored: 'opfs' }),
}))
vi.mock('./arrival', () => ({ watch: async () => false }))
vi.mock('./sender', () => ({
  reuse: () => world.reuse(),
  send: () => {
    world.sent++
    let stop = () => undefined as void
    const stopped = new Promise<Outcome>((resolve) => (stop = () => resolve({ how: 'stopped' })))
    return { outcome: Promise.race([world.send(), stopped]), stop }
  },
}))
const { pump } = await import('./sending')

/** All is done that could be done. */
async function pumped() {
  pump()
  await world.working
}
beforeEach(() => {
  drafts.clear()
  Object.assign(world, { pauses: [], sent: 0, reading: async () => undefined, reuse: async () => null, send: async () => ({ how: 'sent' }) })
})

/** She says it while something is awaited. */
const meanwhile = async (): Promise<null> => (tell('d1', { type: 'pause' }), null)
const cut = async (): Promise<null> => {
  await meanwhile()
  throw new Error('cut')
}

describe('先停一停', () => {
  it('holds while the film is read, and while it is asked whether the server has it', async () => {
    const waits: Partial<typeof world>[] = [{ reading: meanwhile }, { reuse: meanwhile }, { reuse: cut }]
    for (const wait of waits) {
      Object.assign(world, { reading: async () => undefined, reuse: async () => null, ...wait })
      await begin(draft({ id: 'd1' }))
      await pumped()
      expect([draftOf('d1')?.phase, world.sent]).toEqual(['paused', 0])
    }
  })
  it('lets the next one go', async () => {
    world.reading = meanwhile
    await begin(draft({ id: 'd1' }))
    await begin(draft({ id: 'd2', made_at: 2, is_new: true }))
    await pumped()
    expect([draftOf('d1')?.phase, draftOf('d2')?.phase]).toEqual(['paused', 'preparing'])
  })
})

it('does not spin against a gateway that takes nothing', async () => {
  world.send = async () => ({ how: 'too_much', failure: null, moved: false })
  await begin(draft({ id: 'd1', is_new: true }))
  await pumped()
  expect(world.sent).toBe(world.pauses.length)
  expect(world.pauses.every((ms) => ms >= 60_000)).toBe(true)
  expect(draftOf('d1')?.trouble).toBe('gateway')
})

it('keeps the words of a refusal as they were said', async () => {
  const failure = Object.assign(new Error('今天传满了。'), { code: 'quota_day', next_step: '明天再传。' })
  world.send = async () => ({ how: 'put_off', failure, moved: false })
  await begin(draft({ id: 'd1', is_new: true }))
  await pumped()
  expect(structuredClone(draftOf('d1'))).toMatchObject({ phase: 'put_off', refusal: { code: 'quota_day', message: '今天传满了。', next_step: '明天再传。' } })
})
