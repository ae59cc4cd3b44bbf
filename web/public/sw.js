// Keeps the shell on the phone: built files never change under their name, the page itself is asked
// for first and taken from the phone only without signal. Nothing of the API or of films is kept.
const SHELL = 'weijia-shell-1'

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(caches.open(SHELL).then((shell) => shell.add('/')).catch(() => undefined))
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== location.origin) return
  if (url.pathname.startsWith('/assets/') || url.pathname === '/icon.svg') event.respondWith(kept(event.request))
  else if (event.request.mode === 'navigate' && !/^\/(api|media|studio)(\/|$)/.test(url.pathname)) event.respondWith(page(event.request))
})

async function kept(request) {
  const shell = await caches.open(SHELL)
  const have = await shell.match(request)
  if (have) return have
  const answer = await fetch(request)
  const page = answer.headers.get('content-type')?.includes('text/html')
  if (answer.ok && !page) await shell.put(request, answer.clone())
  return answer
}

async function page(request) {
  const shell = await caches.open(SHELL)
  try {
    const answer = await fetch(request)
    if (answer.ok) {
      const now = answer.clone()
      const text = await answer.clone().text()
      // A café's WiFi that wants a sign-in first answers in our place: she sees its page, but it is not kept as ours.
      if (!text.includes('<div id="app">')) return answer
      const before = await shell.match('/')
      if (before && (await before.text()) !== text) await forget(shell)
      await shell.put('/', now)
    }
    return answer
  } catch (lost) {
    const have = await shell.match('/')
    if (have) return have
    throw lost
  }
}

/** A new build has new names; the old files only fill the phone. */
async function forget(shell) {
  for (const request of await shell.keys()) await shell.delete(request)
}
