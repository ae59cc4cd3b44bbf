import { beforeEach, expect, it, vi } from 'vitest'
import { digitsOf, screenOf, useJoin } from './join'

const candidate = (window: string) => ({ window, series_no: 49, title: '里耶班', host: '龙山县妇联', place: '湘西州龙山县', starts_on: '2026-06-16', arrived: 3, name: null })
/** What the server says next, in order; each ask is kept. */
let answers: (() => unknown)[] = []
let asked: { path: string; body: unknown }[] = []
vi.mock('@/api/client', async () => {
  class Failure extends Error { constructor(readonly code: string, readonly status: number) { super(code) } get offline() { return this.status === 0 } }
  return {
    Failure,
    asFailure: (error: unknown) => error,
    data: async (call: Promise<unknown>) => call,
    api: { POST: async (path: string, { body }: { body: unknown }) => { asked.push({ path, body }); return answers.shift()!() } },
  }
})
const { Failure } = await import('@/api/client') as unknown as { Failure: new (code: string, status: number) => Error }
const fails = (code: string, status: number) => () => { throw new Failure(code, status) }
const settled = () => new Promise(done => setTimeout(done))
const type = async (join: ReturnType<typeof useJoin>, digits: string) => { for (const d of digits) join.press(d); await settled() }

beforeEach(() => { answers = []; asked = [] })

it('leads from four digits to her seat with nothing typed', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1')] }), () => ({ step: 'choose_pin' }), () => ({ step: 'joined', me: { name: '彭秀英' } })]
  await type(join, '0616')
  expect(join.screen.value).toBe('found')
  join.choose(join.chosen.value!)
  await type(join, '13812345678')
  expect(join.screen.value).toBe('choose')
  await type(join, '271828')
  expect(join.screen.value).toBe('again')
  await type(join, '271828')
  expect(join.screen.value).toBe('in')
  expect(join.me.value!.name).toBe('彭秀英')
  expect(asked.map(a => a.body)).toEqual([
    { code: '0616' }, { window: 'door_1', phone: '13812345678', secret: undefined, again: false }, { window: 'door_1', phone: '13812345678', secret: '271828', again: false },
  ])
})

it('asks which class where several have these digits', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1'), candidate('door_2')] })]
  await type(join, '0616')
  expect(join.chosen.value).toBeNull()
  join.choose(join.candidates.value[1]!)
  expect([join.screen.value, join.chosen.value!.window]).toEqual(['phone', 'door_2'])
})

it('clears digits that were wrong and keeps those that only lacked a signal', async () => {
  const join = useJoin({})
  answers = [fails('code_unknown', 422), fails('offline', 0), () => ({ windows: [candidate('door_1')] })]
  await type(join, '0617')
  expect([join.screen.value, join.digits.value, join.failure.value!.code]).toEqual(['code', '', 'code_unknown'])
  await type(join, '0616')
  expect(join.digits.value).toBe('0616')
  join.full()
  await settled()
  expect(join.screen.value).toBe('found')
})

it('begins her six digits anew where the two differ, or are too easily guessed', async () => {
  const join = useJoin({ card: 'CARD' })
  answers = [() => ({ windows: [{ ...candidate('door_1'), name: '彭秀英' }] }), () => ({ step: 'choose_pin' }), fails('pin_weak', 422)]
  await join.look()
  join.choose(join.chosen.value!)
  await settled()
  await type(join, '271828')
  await type(join, '271829')
  expect([join.screen.value, join.wrong.value]).toEqual(['choose', '两遍按的不一样，从头再来一遍。'])
  await type(join, '123456')
  await type(join, '123456')
  expect([join.screen.value, join.failure.value!.code, join.digits.value]).toEqual(['choose', 'pin_weak', ''])
  expect(join.back()).toBe(false)
})

it('asks for what was read out to her, and then for digits of her own', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1')] }), () => ({ step: 'enter_code' }), fails('sign_in_wrong', 401), () => ({ step: 'joined', me: { name: '彭秀英' } })]
  await type(join, '0616')
  join.choose(join.chosen.value!)
  await type(join, '13812345678')
  expect(join.screen.value).toBe('handed')
  for (const code of ['48217300', '48217306']) {
    await type(join, code)
    expect(join.screen.value).toBe('choose')
    await type(join, '271828')
    await type(join, '271828')
    if (code === '48217300') expect([join.screen.value, join.failure.value!.code]).toEqual(['handed', 'sign_in_wrong'])
  }
  expect(join.screen.value).toBe('in')
  expect(asked.at(-1)!.body).toMatchObject({ secret: '48217306', pin: '271828' })
})

it('asks anew where her digits were taken before the answer came', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1')] }), () => ({ step: 'choose_pin' }), fails('claimed_already', 409), () => ({ step: 'enter_pin' })]
  await type(join, '0616')
  join.choose(join.chosen.value!)
  await type(join, '13812345678')
  await type(join, '271828')
  await type(join, '271828')
  await settled()
  expect(join.screen.value).toBe('pin')
})

it('does not hear an answer that comes after she has gone elsewhere', async () => {
  const join = useJoin({})
  let late = (_: unknown) => {}
  answers = [() => ({ windows: [candidate('door_1')] }), () => ({ step: 'wait' }), () => new Promise(done => { late = done })]
  await type(join, '0616')
  join.choose(join.chosen.value!)
  await type(join, '13812345678')
  void join.ask()
  expect(join.back()).toBe(true)
  late({ step: 'wait' })
  await settled()
  expect(join.screen.value).toBe('phone')
  await type(join, '139')
  expect(join.digits.value).toBe('139')
})

it('leads from a card that is not hers to four digits', async () => {
  const join = useJoin({ card: 'CARD' })
  answers = [() => ({ windows: [{ ...candidate('door_1'), name: '彭秀英' }] }), () => ({ windows: [candidate('door_2')] })]
  await join.look()
  join.notThis()
  expect([join.screen.value, join.by.value]).toEqual(['code', 'code'])
  await type(join, '0616')
  join.choose(join.chosen.value!)
  expect(join.screen.value).toBe('phone')
})

it('waits at the door until she is let in', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1')] }), () => ({ step: 'wait' }), () => ({ step: 'wait' }), () => ({ step: 'choose_pin' })]
  await type(join, '0616')
  join.choose(join.chosen.value!)
  await type(join, '13812345678')
  expect(join.screen.value).toBe('wait')
  await join.ask()
  expect(join.screen.value).toBe('wait')
  await join.ask()
  expect(join.screen.value).toBe('choose')
})

it('takes no number that no phone has, and no digit too many', async () => {
  const join = useJoin({})
  answers = [() => ({ windows: [candidate('door_1')] })]
  await type(join, '06161')
  join.choose(join.chosen.value!)
  await type(join, '23812345678')
  expect([join.digits.value, join.wrong.value]).toEqual(['', '手机号是 1 开头的十一位，再看一眼。'])
  await type(join, '1')
  join.erase()
  expect([join.digits.value, join.wrong.value, asked.length]).toEqual(['', '', 1])
  expect(join.back()).toBe(true)
  expect(join.screen.value).toBe('code')
})

it('has a screen for every step', () => {
  for (const step of ['choose_pin', 'enter_code', 'enter_pin', 'enter_password', 'wait', 'rejected', 'joined'] as const) expect(screenOf(step)).toBeTruthy()
  expect([digitsOf('code'), digitsOf('phone'), digitsOf('pin'), digitsOf('wait')]).toEqual([4, 11, 6, 0])
})
