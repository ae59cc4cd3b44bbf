// From four digits that she hears to her seat in the class. What is on the screen follows from where she stands; nothing
// of it is typed on a keyboard but an old password.
import { computed, ref, shallowRef } from 'vue'
import { api, asFailure, data, Failure } from '@/api/client'
import type { FindJoin, JoinCandidate, JoinStep, Me } from '@/api/types'

export const PIN_DIGITS = 6

export type Screen =
  | 'code'      // four digits, or a picture that is being looked up
  | 'found'     // is it this class
  | 'phone'
  | 'handed'    // eight digits that were read out to her in person
  | 'choose' | 'again'  // six digits of her own, twice
  | 'pin'
  | 'password'
  | 'wait'
  | 'rejected'
  | 'in'

const DIGITS: Partial<Record<Screen, number>> = { code: 4, phone: 11, handed: 8, choose: PIN_DIGITS, again: PIN_DIGITS, pin: PIN_DIGITS }
/** How many digits a screen waits for; none where there is no keypad. */
export const digitsOf = (screen: Screen) => DIGITS[screen] ?? 0

const SCREENS: Record<JoinStep['step'], Screen> = {
  choose_pin: 'choose', enter_code: 'handed', enter_pin: 'pin', enter_password: 'password', wait: 'wait', rejected: 'rejected', joined: 'in',
}
/** The screen that an answer leads to. */
export const screenOf = (step: JoinStep['step']): Screen => SCREENS[step]

/** Where only digits were pressed, nothing else can be wrong. */
export function ofDigits(failure: Failure): Failure {
  if (failure.code !== 'sign_in_wrong') return failure
  return new Failure(failure.code, '这几个数字不对。', '再按一遍；想不起来，就叫老师当面帮你重设。', failure.status, failure.request_id)
}

export function useJoin(start: { wall?: string; card?: string }) {
  const screen = ref<Screen>('code')
  const digits = ref('')
  const password = ref('')
  const candidates = shallowRef<JoinCandidate[]>([])
  const chosen = shallowRef<JoinCandidate | null>(null)
  const phone = ref('')
  const handed = ref('')
  const first = ref('')
  const reason = ref('')
  const busy = ref(false)
  const failure = shallowRef<Failure | null>(null)
  /** What she pressed did not fit: said in one sentence over the boxes. */
  const wrong = ref('')
  const me = shallowRef<Me | null>(null)
  /** What she scanned leads nowhere that she wants to go: four digits do. */
  const byHand = ref(false)
  const by = computed(() => (byHand.value ? 'code' : start.card ? 'card' : start.wall ? 'wall' : 'code'))
  const card = computed(() => (by.value === 'card' ? start.card : undefined))

  function go(to: Screen) {
    screen.value = to
    digits.value = ''
    password.value = ''
    if (to !== 'again') first.value = ''
    if (to !== 'again' && to !== 'choose') handed.value = ''
  }

  // Whatever is answered after she has gone elsewhere is not heard.
  let turn = 0
  async function attempt<T>(ask: () => Promise<T>, then: (answer: T) => void) {
    if (busy.value) return
    const mine = ++turn
    busy.value = true
    failure.value = null
    wrong.value = ''
    try {
      const answer = await ask()
      if (mine === turn) then(answer)
    } catch (error) {
      if (mine === turn) failed(asFailure(error))
    }
    if (mine === turn) busy.value = false
  }
  function elsewhere(to: Screen) {
    turn++
    busy.value = false
    failure.value = null
    wrong.value = ''
    go(to)
  }

  function failed(why: Failure) {
    failure.value = by.value !== 'code' && screen.value === 'code' ? why : ofDigits(why)
    // What she pressed stays where only the signal was missing.
    if (why.offline) return
    if (screen.value === 'again') {
      const to: Screen = handed.value && why.code === 'sign_in_wrong' ? 'handed' : 'choose'
      go(to)
    }
    digits.value = ''
    // She is known by now, perhaps by an answer that was lost on its way: what comes next is asked anew.
    if (why.code === 'claimed_already') void Promise.resolve().then(() => ask())
  }

  const find = (body: FindJoin) => attempt(
    async () => (await data(api.POST('/api/v1/join/find', { body }))).windows,
    (windows) => {
      candidates.value = windows
      chosen.value = windows.length === 1 ? windows[0]! : null
      go('found')
    },
  )
  /** The picture that she scanned, or the digits that she pressed, once more. */
  const look = () => find(card.value ? { card: card.value } : by.value === 'wall' ? { wall: start.wall! } : { code: digits.value })

  const ask = (secret?: string, more: { pin?: string; again?: boolean } = {}) => attempt(
    () => {
      const who = card.value ? { card: card.value } : { phone: phone.value }
      return data(api.POST('/api/v1/join', { body: { window: chosen.value!.window, ...who, secret, again: false, ...more } }))
    },
    (answer) => {
      if (answer.step === 'joined') me.value = answer.me
      if (answer.step === 'rejected') reason.value = answer.reason
      const next = screenOf(answer.step)
      if (next !== screen.value) go(next)
    },
  )

  function choose(candidate: JoinCandidate) {
    chosen.value = candidate
    if (card.value) void ask()
    else go('phone')
  }

  /** All digits of this screen are there. */
  function full() {
    const pressed = digits.value
    switch (screen.value) {
      case 'code':
        return void look()
      case 'phone':
        if (!/^1[3-9]/.test(pressed)) {
          wrong.value = '手机号是 1 开头的十一位，再看一眼。'
          digits.value = ''
          return
        }
        phone.value = pressed
        return void ask()
      case 'handed':
        handed.value = pressed
        screen.value = 'choose'
        digits.value = ''
        return
      case 'choose':
        first.value = pressed
        screen.value = 'again'
        digits.value = ''
        return
      case 'again':
        if (pressed === first.value) return void (handed.value ? ask(handed.value, { pin: pressed }) : ask(pressed))
        screen.value = 'choose'
        digits.value = ''
        first.value = ''
        wrong.value = '两遍按的不一样，从头再来一遍。'
        return
      case 'pin':
        return void ask(pressed)
    }
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
    if (screen.value === 'again') return elsewhere('choose'), true
    const toPhone = ['handed', 'choose', 'pin', 'password', 'wait', 'rejected'].includes(screen.value)
    if (toPhone && !card.value) return elsewhere('phone'), true
    if (screen.value === 'phone' && by.value === 'code') return elsewhere('code'), true
    return false
  }

  return {
    screen, digits, password, candidates, chosen, reason, busy, failure, wrong, me, by,
    look, choose, press, erase, full, back, ask,
    /** It is another class, or another woman's card: from there four digits lead on. */
    notThis: () => {
      byHand.value = true
      elsewhere('code')
    },
  }
}
