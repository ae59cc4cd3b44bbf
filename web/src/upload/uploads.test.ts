import { expect, it, vi } from 'vitest'
import { draftOf, tell } from './drafts'
import type { Draft } from './state'
import { draft } from './testing'

/** What the phone has written down when the page is opened. */
const written = vi.hoisted(() => [] as Draft[])
vi.mock('@/app/session', () => ({ me: { value: null } }))
vi.mock('./phone', () => ({ lineKind: () => 'mobile', onWifi: () => false }))
vi.mock('./removal', () => ({ cancel: () => undefined, putAway: () => undefined, remove: async () => undefined }))
vi.mock('./sending', () => ({ follow: () => undefined, pump: () => undefined, speedOf: () => 0, takeUpPutOff: () => undefined, sender: () => undefined }))
vi.mock('./store', () => ({ allDrafts: async () => written, sweep: async () => undefined, saveDraft: async () => undefined, saveProgress: async () => undefined }))
const { around, openFor } = await import('./uploads')

it('goes on from before until a byte has moved, however slow the line is then', async () => {
  written.push(draft({ offset: 5_000_000, phase: 'no_signal' }), draft({ id: 'd2' }))
  await openFor('usr_1')
  const resumed = () => around(draftOf('d1')!).resumed
  tell('d1', { type: 'start' })
  expect([resumed(), around(draftOf('d2')!).resumed]).toEqual([true, false])
  // The server had less than this phone believed.
  tell('d1', { type: 'progress', offset: 4_900_000 })
  expect(resumed()).toBe(false)
  tell('d1', { type: 'cut', trouble: 'line' })
  tell('d1', { type: 'start' })
  expect(resumed()).toBe(false)
})
