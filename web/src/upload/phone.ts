// What the phone tells us and what we ask of it: signal, WiFi, sleep.

interface Line extends EventTarget {
  type?: string
}
const line = (navigator as Navigator & { connection?: Line }).connection

/** Only some phones say what they are connected by; where they don't, waiting for WiFi is not offered. */
export const knowsItsLine = () => line?.type !== undefined && line.type !== 'unknown'
export const onWifi = () => line?.type === 'wifi' || line?.type === 'ethernet'
export const onMobileData = () => line?.type === 'cellular'

const sleepers = new Set<() => void>()
/** Ends every pause: there is signal again, or she looks at the page again. */
export function wakeUp() {
  for (const wake of [...sleepers]) wake()
}
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      window.clearTimeout(timer)
      sleepers.delete(done)
      resolve()
    }
    const timer = window.setTimeout(done, ms)
    sleepers.add(done)
  })
}

window.addEventListener('online', wakeUp)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return
  wakeUp()
  if (wanted) void keepAwake()
})
line?.addEventListener('change', wakeUp)

type Lock = { release(): Promise<void>; addEventListener(type: 'release', f: () => void): void }
let lock: Lock | null = null
let wanted = false

/** While bytes move the screen stays on, for phones that stop pages when it goes dark. */
export async function keepAwake() {
  wanted = true
  const wakeLock = (navigator as Navigator & { wakeLock?: { request(type: 'screen'): Promise<Lock> } }).wakeLock
  if (!wakeLock || lock || document.visibilityState !== 'visible') return
  lock = await wakeLock.request('screen').catch(() => null)
  lock?.addEventListener('release', () => (lock = null))
  if (!wanted) lettingSleep()
}
export function lettingSleep() {
  wanted = false
  void lock?.release().catch(() => undefined)
  lock = null
}
