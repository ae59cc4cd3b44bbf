import { shallowReactive } from 'vue'
import { api, asFailure } from '@/api/client'
import { say } from '@/shared/toast'

/** Clips that she has taken back: gone from the lists at once, on the server when undo is over. Back only if she or it says so. */
export const leaving = shallowReactive(new Set<string>())

export function withdraw(id: string, title: string) {
  leaving.add(id)
  const timer = window.setTimeout(async () => {
    try {
      await api.DELETE('/api/v1/clips/{clip}', { params: { path: { clip: id } } })
    } catch (error) {
      say(`${asFailure(error).message}“${title}”还在。`)
      leaving.delete(id)
    }
  }, 8000)
  say(`收回了“${title}”`, '放回来', () => {
    window.clearTimeout(timer)
    leaving.delete(id)
  })
}
