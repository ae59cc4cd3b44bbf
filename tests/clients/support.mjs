// What the clients written in JavaScript share: films, a line that breaks, and the ledger of what has arrived.
import { createCipheriv, createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import net from 'node:net'

export const MIB = 1 << 20
export const base = process.env.WEIJIA_URL

/** Begins like an mp4; the rest is noise, another for each seed. */
export function film(bytes, seed) {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16, seed)).update(Buffer.alloc(bytes))
  Buffer.from('\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41', 'latin1').copy(noise)
  return noise
}

/** Whoever started this compares what is kept with what was sent: an upload by its `url`, an object by bucket and key. */
export function arrived(what, bytes) {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  appendFileSync(process.env.WEIJIA_ARRIVED, `${JSON.stringify({ ...what, sha256 })}\n`)
}

/** A way to the server that breaks, with all its connections, once it has carried `bytes` towards it. Then it holds. */
export async function breakingLine(bytes) {
  const { hostname, port } = new URL(base)
  const sockets = new Set()
  let left = bytes
  const server = net.createServer((client) => {
    const upstream = net.connect(port, hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.pipe(client)
    client.on('data', (chunk) => {
      left -= chunk.length
      if (left <= 0 && left > -chunk.length) {
        for (const socket of sockets) socket.resetAndDestroy()
      } else if (!upstream.write(chunk)) {
        client.pause()
        upstream.once('drain', () => client.resume())
      }
    })
    client.on('end', () => upstream.end())
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    get broken() { return left <= 0 },
    end() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
