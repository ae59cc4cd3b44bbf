import { ref } from 'vue'
import { api, asFailure, data, onSignedOut } from '@/api/client'
import type { Me } from '@/api/types'

export const me = ref<Me | null>(null)

// Her name and class are kept on the phone, so that the app opens where there is no signal.
const KEPT = 'weijia.me'
let asked: Promise<void> | null = null

/** Asks once who is signed in. Without signal the last known answer counts. */
export function whoIsHere(): Promise<void> {
  asked ??= data(api.GET('/api/v1/session'))
    .then(settle)
    .catch((error) => {
      const kept = localStorage.getItem(KEPT)
      const { status, ours, offline } = asFailure(error)
      if (kept && !(status === 401 && ours)) me.value = JSON.parse(kept)
      else settle(null)
      if (offline) asked = null
    })
  return asked
}

export async function refreshMe() {
  const now = await data(api.GET('/api/v1/session')).catch(() => null)
  if (now) settle(now)
}

/** By her number, or as one of those whom this phone knows. */
export async function signIn(who: { phone: string } | { person: string }, password: string) {
  settle((await data(api.POST('/api/v1/session', { body: { ...who, password } }))) ?? null)
  ended.value = false
  asked = Promise.resolve()
}

/** She came in another way than by signing in. */
export function cameIn(now: Me) {
  settle(now)
  ended.value = false
  asked = Promise.resolve()
}

export async function signOut() {
  await api.DELETE('/api/v1/session')
  settle(null)
}

function settle(now: Me | null | undefined) {
  me.value = now ?? null
  if (now) localStorage.setItem(KEPT, JSON.stringify(now))
  else localStorage.removeItem(KEPT)
}

// The phone goes from hand to hand: whoever signs in on one page is who is there on all of them, before anything more
// is sent in the name of the one before.
window.addEventListener('storage', ({ key, newValue }) => {
  if (key === KEPT) me.value = newValue ? JSON.parse(newValue) : null
})

/** She was in, and the server no longer knows her: the door says so. */
export const ended = ref(false)
onSignedOut(() => {
  ended.value ||= !!me.value
  settle(null)
})
