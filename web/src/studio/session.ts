// Who is at the desk. One read of it serves every page.
import { computed, ref, shallowRef } from 'vue'
import * as api from './api'
import type { Me, Role } from './types'

export const me = shallowRef<Me | null>(null)

/** She was in, and the server no longer knows her: the door says so. */
export const ended = ref(false)

const has = (role: Role) => Boolean(me.value?.roles.includes(role))
/** What each page is for: the server decides access, this only decides what is offered. */
export const reviews = computed(() => has('mentor') || has('admin'))
export const manages = computed(() => has('staff') || has('admin'))
export const belongs = computed(() => reviews.value || manages.value)

let asked: Promise<void> | null = null
/** Resolves when it is known whether somebody is signed in; throws only when the server cannot be reached. */
export function knowMe(): Promise<void> {
  asked ??= api.whoAmI().then(
    found => { me.value = found },
    error => {
      // only a found person is remembered: she may sign in elsewhere a moment later
      asked = null
      if (error instanceof api.Failure && error.status === 401) me.value = null
      else throw error
    },
  )
  return asked
}

export async function signIn(phone: string, password: string) {
  me.value = await api.signIn({ phone, password })
  ended.value = false
  asked = Promise.resolve()
}

export async function signOut() {
  await api.signOut()
  forget()
}

export function forget() {
  me.value = null
  asked = null
}

export const homePath = () => (reviews.value ? '/studio/queue' : '/studio/cohorts')
