// What lies between a phone and the server: proxies that pass everything on, until a test gives them a fault.
import { createServer, request } from 'node:http'

/**
 * `fault(incoming, answer, pass)` sees every request for the API and may answer by itself, or call `pass()`, also
 * later, with a body of its own, or with only the first so many bytes of the request's. `sent` remembers every PATCH: to
 * which upload, where it began, how long it was to be, and where the server had last said that it goes on.
 */
export async function proxy(target) {
  const { hostname, port } = new URL(target)
  const self = { target, sent: [], fault: null }
  const offsets = new Map()
  const server = createServer((incoming, answer) => {
    const pass = (body, most = Infinity) => {
      const headers = { ...incoming.headers }
      const onward = request({ hostname, port, path: incoming.url, method: incoming.method, headers }, (reply) => {
        const upload = incoming.method === 'POST' ? reply.headers.location : incoming.url
        if ('upload-offset' in reply.headers || reply.statusCode === 201) offsets.set(upload, Number(reply.headers['upload-offset'] ?? 0))
        answer.writeHead(reply.statusCode, reply.headers)
        reply.pipe(answer)
      })
      onward.on('error', () => answer.destroy())
      answer.on('close', () => answer.writableFinished || onward.destroy())
      if (body !== undefined) onward.end(body)
      else if (most === Infinity) incoming.pipe(onward)
      else {
        let passed = 0
        incoming.on('data', (chunk) => {
          onward.write(chunk)
          if ((passed += chunk.length) >= most) incoming.pause()
        })
      }
    }
    if (incoming.method === 'PATCH') {
      const { 'upload-offset': from, 'content-length': length } = incoming.headers
      self.sent.push({ upload: incoming.url, from: Number(from), length: Number(length), said: offsets.get(incoming.url) })
    }
    if (self.fault && incoming.url.startsWith('/api/')) self.fault(incoming, answer, pass)
    else pass()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  self.base = `http://127.0.0.1:${server.address().port}`
  self.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return self
}

const html = (answer, status, text) => {
  answer.writeHead(status, { 'content-type': 'text/html' })
  answer.end(`<html><body><h1>${text}</h1></body></html>`)
}
const read = (incoming) =>
  new Promise((resolve) => {
    const chunks = []
    incoming.on('data', (chunk) => chunks.push(chunk))
    incoming.on('end', () => resolve(Buffer.concat(chunks)))
  })

/** Lets so many bytes of a body through and holds the rest. */
export const holdsAfter = (most) => (incoming, answer, pass) => pass(undefined, incoming.method === 'PATCH' ? most : Infinity)

/** Takes a whole body before it passes on any of it. */
export const buffers = (incoming, answer, pass) => {
  if (incoming.method !== 'PATCH') return pass()
  void read(incoming).then(pass)
}

/** Takes no more than `most` bytes at once, as nginx does by default, and says so in HTML. */
export const takesAtMost = (most) => (incoming, answer, pass) => {
  if (Number(incoming.headers['content-length'] ?? 0) <= most) return pass()
  void read(incoming).then(() => html(answer, 413, 'Request Entity Too Large'))
}

/** Has lost the server behind it: HTML to every request. */
export const badGateway = (incoming, answer) => {
  incoming.resume()
  incoming.on('end', () => html(answer, 502, 'Bad Gateway'))
}

/** A café's WiFi before one has signed in: its own page, whatever was asked for. */
export const portal = (incoming, answer) => {
  incoming.resume()
  incoming.on('end', () => html(answer, 200, 'Welcome to Free WiFi'))
}

/** Our server, saying no to requests of that kind whose address ends so. */
export const refuses = (method, end, status, refusal) => (incoming, answer, pass) => {
  if (incoming.method !== method || !incoming.url.endsWith(end)) return pass()
  incoming.resume()
  incoming.on('end', () => {
    answer.writeHead(status, { 'tus-resumable': '1.0.0', 'content-type': 'application/json' })
    answer.end(JSON.stringify({ ...refusal, request_id: 'req_test' }))
  })
}

/** A portal to which everything below that address is unknown. */
export const portalFindsNothing = (below) => (incoming, answer, pass) => {
  if (!incoming.url.includes(below)) return pass()
  incoming.resume()
  html(answer, 404, 'Not Found')
}

/** Our server, saying something else about a clip than it thinks. */
export const clipIs = (target, clip, cookie, change) => (incoming, answer, pass) => {
  if (incoming.method !== 'GET' || !incoming.url.endsWith(`/clips/${clip}`)) return pass()
  void fetch(target + incoming.url, { headers: { cookie } }).then(async (reply) => {
    const said = await reply.json()
    change(said)
    answer.writeHead(reply.status, { 'content-type': 'application/json' })
    answer.end(JSON.stringify(said))
  })
}
