// From four digits that she hears to her seat in the class. What is on the screen follows from where she stands; nothing
// of it is typed on a keyboard but an old password.
import { computed, ref, shallowRef } from 'vue'
import { api, asFailure, data, Failure } from '@/api/client'
import type { FindJoin, JoinCandidate, JoinStep, Me } from '@/api/types'

export const CODE_DIGITS = 4
export const PHONE_DIGITS = 11
export const PIN_DIGITS = 6

export type Screen =
  | 'code'        // four digits, or a picture that is being looked up
  | 'found'       // is it this class
  | 'phone'
  | 'choose' | 'again'  // six digits of her own, twice
  | 'pin'
  | 'password'
  | 'wait'
  | 'rejected'
  | 'in'

/** How many digits a screen waits for; none where there is no keypad. */
export function digitsOf(screen: Screen): number {
  if (screen === 'code') return CODE_DIGITS
  if (screen === 'phone') return PHONE_DIGITS
  return screen === 'choose' || screen === 'again' || screen === 'pin' ? PIN_DIGITS : 0
}

/** The screen that an answer leads to. */
export function screenOf(step: JoinStep['step']): Screen {
  const screens: Record<JoinStep['step'], Screen> = {
    choose_pin: 'choose', enter_pin: 'pin', enter_password: 'password', wait: 'wait', rejected: 'rejected', joined: 'in',
  }
  return screens[step]
}

/** Where only six digits were pressed, nothing else can be wrong. */
export function ofDigits(failure: Failure): Failure {
  if (failure.code !== 'sign_in_wrong') return failure
  return new Failure(failure.code, '这六个数字不对。', '再按一遍；想不起来，就叫老师当面帮你重设。', failure.status, failure.request_id)
}

export function useJoin(start: { wall?: string; card?: string }) {
  const screen = ref<Screen>('code')
  const digits = ref('')
  const password = ref('')
  const candidates = shallowRef<JoinCandidate[]>([])
  const chosen = shallowRef<JoinCandidate | null>(null)
  const phone = ref('')
  const first = ref('')
  const reason = ref('')
  const waitingSince = ref(0)
  const busy = ref(false)
  const failure = shallowRef<Failure | null>(null)
  /** What she pressed did not fit: said in one sentence over the boxes. */
  const wrong = ref('')
  const me = shallowRef<Me | null>(null)
  const by = computed(() => (start.card ? 'card' : start.wall ? 'wall' : 'code'))

  function go(to: Screen) {
    screen.value = to
    digits.value = ''
    if (to !== 'choose' && to !== 'again') first.value = ''
    if (to === 'wait') waitingSince.value ||= Date.now()
  }

  async function attempt(act: () => Promise<void>) {
    if (busy.value) return
    busy.value = true
    failure.value = null
    wrong.value = ''
    try {
      await act()
    } catch (error) {
      failure.value = screen.value === 'pin' ? ofDigits(asFailure(error)) : asFailure(error)
      // What she pressed stays where only the signal was missing.
      if (!failure.value.offline) digits.value = ''
    }
    busy.value = false
  }

  const find = (body: FindJoin) => attempt(async () => {
    candidates.value = (await data(api.POST('/api/v1/join/find', { body }))).windows
    chosen.value = candidates.value.length === 1 ? candidates.value[0]! : null
    screen.value = 'found'
  })
  /** The picture that she scanned, or the digits that she pressed, once more. */
  const look = () => {
    if (start.card) return find({ card: start.card })
    if (start.wall) return find({ wall: start.wall })
    return find({ code: digits.value })
  }

  const ask = (secret?: string, again = false) => attempt(async () => {
    const who = start.card ? { card: start.card } : { phone: phone.value }
    const answer = await data(api.POST('/api/v1/join', { body: { window: chosen.value!.window, ...who, secret, again } }))
    if (answer.step === 'joined') me.value = answer.me
    if (answer.step === 'rejected') reason.value = answer.reason
    const next = screenOf(answer.step)
    if (next !== screen.value) go(next)
  })

  function choose(candidate: JoinCandidate) {
    chosen.value = candidate
    if (start.card) void ask()
    else go('phone')
  }

  /** All digits of this screen are there. */
  function full() {
    const pressed = digits.value
    if (screen.value === 'code') void look()
    else if (screen.value === 'phone') {
      if (!/^1[3-9]/.test(pressed)) {
        wrong.value = '手机号是 1 开头的十一位，再看一眼。'
        digits.value = ''
      } else {
        phone.value = pressed
        void ask()
      }
    } else if (screen.value === 'choose') {
      first.value = pressed
      screen.value = 'again'
      digits.value = ''
    } else if (screen.value === 'again') {
      if (pressed === first.value) void ask(pressed).then(chooseAnew)
      else {
        chooseAnew()
        wrong.value = '两遍按的不一样，从头再来一遍。'
      }
    } else if (screen.value === 'pin') void ask(pressed)
  }
  function chooseAnew() {
    if (screen.value !== 'again') return
    // Offline nothing is wrong with her digits: the same action can be tried again.
    if (failure.value?.offline) return
    screen.value = 'choose'
    first.value = ''
    digits.value = ''
  }

  function press(digit: string) {
    const most = digitsOf(screen.value)
    if (busy.value || digits.value.length >= most) return
    failure.value = null
    wrong.value = ''
    digits.value += digit
    if (digits.value.length === most) full()
  }
  function erase() {
    if (!busy.value) digits.value = digits.value.slice(0, -1)
  }

  /** One step back; false where there is none before this one. */
  function back(): boolean {
    failure.value = null
    wrong.value = ''
    const before: Partial<Record<Screen, Screen>> = {
      phone: by.value === 'code' ? 'code' : undefined, again: 'choose', choose: 'phone', pin: 'phone', password: 'phone', wait: 'phone', rejected: 'phone',
    }
    const to = before[screen.value]
    if (!to || (start.card && to === 'phone')) return false
    waitingSince.value = 0
    go(to)
    return true
  }

  return {
    screen, digits, password, candidates, chosen, phone, reason, waitingSince, busy, failure, wrong, me, by,
    look, choose, press, erase, full, back, ask,
    /** It is not this class: the digits are pressed again. */
    notThis: () => go('code'),
  }
}
