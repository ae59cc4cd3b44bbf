// A Chromium with a profile of its own, that can be killed as a phone kills it, and a site that shows it `page.mjs`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'

/** Starts it over the profile in `folder`. */
export async function browser(folder) {
  const process_ = spawn(process.env.WEIJIA_CHROMIUM, [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage',
    '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank',
  ], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const kill = () => {
    // Its group is gone with it.
    if (process_.exitCode === null && process_.signalCode === null) process.kill(-process_.pid, 'SIGKILL')
  }
  let connection
  // Then it says no more, and the lines end.
  const late = setTimeout(kill, 120_000)
  for await (const line of createInterface({ input: process_.stderr })) {
    const [, found] = line.match(/^DevTools listening on (ws:\S+)/) ?? []
    if (found) {
      connection = found
      break
    }
  }
  clearTimeout(late)
  if (!connection) throw new Error('Chromium did not start')
  process_.stderr.resume()
  const driven = await chromium.connectOverCDP(connection, { timeout: 120_000 })
  const context = driven.contexts()[0]
  const page = await context.newPage()
  page.setDefaultTimeout(120_000)
  page.on('pageerror', (error) => console.error('page error:', error))
  return {
    page,
    context,
    /** All of its processes at once, without a word. */
    async kill() {
      const exited = process_.exitCode === null && process_.signalCode === null && once(process_, 'exit')
      kill()
      await exited
      await driven.close().catch(() => {})
    },
  }
}

/** Serves the page; what else is asked for goes on to `upstream`, where there is one. `hold` may keep a body back. */
export async function site(upstream, hold) {
  const bundle = await build({
    entryPoints: [new URL('page.mjs', import.meta.url).pathname], bundle: true, format: 'iife', write: false,
  })
  const script = bundle.outputFiles[0].text
  const server = http.createServer((request, response) => {
    if (request.url === '/page.js') return response.setHeader('Content-Type', 'text/javascript').end(script)
    if (!upstream || !request.url.startsWith('/api/')) {
      const page = '<!doctype html><meta charset="utf-8"><input type="file"><script src="/page.js"></script>'
      return response.setHeader('Content-Type', 'text/html').end(page)
    }
    const { method, headers } = request
    const onward = http.request(new URL(request.url, upstream), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    if (hold && method === 'PATCH') hold(request, onward)
    else request.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    end() {
      server.closeAllConnections()
      server.close()
    },
  }
}
