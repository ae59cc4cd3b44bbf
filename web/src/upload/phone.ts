// What the phone tells us and what we ask of it: signal, WiFi, sleep.
import { ref } from 'vue'

interface Line extends EventTarget {
  type?: string
}
const line = (navigator as Navigator & { connection?: Line }).connection

/** Only some phones say what they are connected by; on the others she is asked. */
export type LineKind = 'wifi' | 'mobile' | 'unknown'
/** So that what is shown changes with it. */
const changes = ref(0)
line?.addEventListener('change', () => changes.value++)
export function lineKind(): LineKind {
  void changes.value
  if (line?.type === 'wifi' || line?.type === 'ethernet') return 'wifi'
  return line?.type === 'cellular' || line?.type === 'bluetooth' || line?.type === 'wimax' ? 'mobile' : 'unknown'
}
export const onWifi = () => lineKind() === 'wifi'

/** Her word for every clip to come. */
const KEPT = 'weijia.wifi_only'
export const wifiOnly = () => localStorage.getItem(KEPT) === '1'
export const rememberWifiOnly = (on: boolean) => localStorage.setItem(KEPT, on ? '1' : '0')

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

/** Called when she goes from WiFi to mobile data, into another network, or back. */
export function onLineChange(changed: () => void) {
  line?.addEventListener('change', changed)
}

window.addEventListener('online', wakeUp)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return
  wakeUp()
  if (wanted) void keepAwake()
})

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
