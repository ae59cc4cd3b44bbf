// tus-js-client, the way its documentation says: every option that changes what goes over the wire.
import assert from 'node:assert/strict'
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { FileUrlStorage } from 'tus-js-client/lib.esm/node/urlStorage.js'
import { Upload } from 'tus-js-client'
import { MIB, arrived, base, breakingLine, film } from './support.mjs'

const folder = mkdtempSync(join(tmpdir(), 'tus-js-client-'))
const headers = { Cookie: process.env.WEIJIA_COOKIE }
const metadata = { filename: 'film.mp4', filetype: 'video/mp4' }

/** Sends it, and answers how that went; `asked` are the methods of the requests that it took. */
function send(source, options = {}) {
  const asked = []
  return new Promise((resolve) => {
    const upload = new Upload(source, {
      endpoint: `${base}/api/v1/uploads`,
      headers,
      metadata,
      retryDelays: null,
      onBeforeRequest: (request) => { asked.push(request.getMethod()) },
      onSuccess: () => resolve({ upload, asked }),
      onError: (error) => resolve({ upload, asked, error }),
      ...options,
    })
    upload.start()
  })
}

async function sends(bytes, options, source = bytes) {
  const sent = await send(source, options)
  assert.ifError(sent.error)
  arrived({ url: sent.upload.url }, bytes)
  return sent
}

/** Where the server says that it is, without the client. */
const head = (url) =>
  fetch(new URL(new URL(url).pathname, base), { method: 'HEAD', headers: { ...headers, 'Tus-Resumable': '1.0.0' } })

test('one byte at a time', async () => {
  const { asked } = await sends(film(40, 1), { chunkSize: 1 })
  assert.equal(asked.filter((method) => method === 'PATCH').length, 40)
})

for (const chunkSize of [333_333, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, Infinity]) {
  test(`chunks of ${chunkSize} bytes`, async () => {
    const bytes = film(17 * MIB + 3, 2)
    const { asked } = await sends(bytes, { chunkSize })
    assert.equal(asked.filter((method) => method === 'PATCH').length, Math.ceil(bytes.length / chunkSize) || 1)
  })
}

test('all of it with the creation', async () => {
  const { asked } = await sends(film(9 * MIB, 3), { uploadDataDuringCreation: true })
  assert.deepEqual(asked, ['POST'])
})

test('some of it with the creation', async () => {
  const { asked } = await sends(film(MIB, 4), { uploadDataDuringCreation: true, chunkSize: 333_333 })
  assert.deepEqual(asked, ['POST', 'PATCH', 'PATCH', 'PATCH'])
})

test('by POST, where nothing but GET and POST gets through', async () => {
  const { asked } = await sends(film(MIB, 5), { overridePatchMethod: true, chunkSize: 400_000 })
  assert.deepEqual(asked, ['POST', 'POST', 'POST', 'POST'])
})

test('a stream whose length nobody knows', async () => {
  // Not a multiple of the chunks: then the client itself waits for ever for a stream that has ended.
  for (const size of [0.5 * MIB, 9 * MIB + 5]) {
    const bytes = film(size, 11)
    const pieces = Array.from({ length: Math.ceil(size / 100_000) }, (_, n) => bytes.subarray(n * 100_000, (n + 1) * 100_000))
    await sends(bytes, { uploadLengthDeferred: true, chunkSize: 3 * MIB }, Readable.from(pieces, { objectMode: false }))
  }
})

test('in three pieces at once', async () => {
  const { asked } = await sends(film(20 * MIB + 2, 12), { parallelUploads: 3 })
  assert.equal(asked.filter((method) => method === 'POST').length, 4)
})

test('in three pieces at once, over a line that breaks', async () => {
  const line = await breakingLine(8 * MIB)
  const options = { endpoint: `${line.url}/api/v1/uploads`, parallelUploads: 3, chunkSize: 2 * MIB }
  await sends(film(20 * MIB + 2, 13), { ...options, retryDelays: [0, 50, 100, 500, 1000] })
  assert.ok(line.broken)
  line.end()
})

test('Chinese names come back as they went', async () => {
  const said = { ...metadata, filename: '油菜花 开了 🌼.mp4', title: '我家的腊肉，+100% 自己熏' }
  const { upload } = await sends(film(70_000, 6), { metadata: said })
  const text = (await head(upload.url)).headers.get('upload-metadata')
  const pairs = text.split(',').map((pair) => pair.split(' '))
  assert.deepEqual(Object.fromEntries(pairs.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()])), said)
})

test('a file without bytes is refused at once, and not tried again', async () => {
  const { asked, error } = await send(Buffer.alloc(0), { retryDelays: [0, 0, 0, 0] })
  assert.equal(error.originalResponse?.getStatus(), 422, `${error}`)
  assert.equal(JSON.parse(error.originalResponse.getBody()).code, 'empty')
  assert.deepEqual(asked, ['POST'])
})

test('what is no video is refused once, and not tried again', async () => {
  for (const bytes of [Buffer.alloc(300_000, '不是视频'), Buffer.alloc(16 * MIB, 'text')]) {
    const { asked, error } = await send(bytes, { retryDelays: [0, 0, 0, 0] })
    assert.equal(error.originalResponse?.getStatus(), 422, `${error}`)
    assert.ok(JSON.parse(error.originalResponse.getBody()).message)
    assert.deepEqual(asked, ['POST', 'PATCH'])
  }
})

test('what is too large is refused before a byte leaves', async () => {
  const endless = Readable.from([film(MIB, 7)])
  const { asked, error } = await send(endless, { uploadSize: 1e15, chunkSize: MIB, retryDelays: [0, 0] })
  assert.equal(error.originalResponse?.getStatus(), 413, `${error}`)
  assert.deepEqual(asked, ['POST'])
})

test('called off, it is gone', async () => {
  let upload
  await new Promise((resolve, reject) => {
    upload = new Upload(film(12 * MIB, 8), {
      endpoint: `${base}/api/v1/uploads`, headers, metadata, chunkSize: 3 * MIB, retryDelays: null,
      onChunkComplete: () => upload.abort(true).then(resolve, reject),
      onError: reject,
    })
    upload.start()
  })
  assert.equal((await head(upload.url)).status, 410)
  // Who goes on all the same begins anew, by itself.
  const { upload: second } = await sends(film(12 * MIB, 8), { uploadUrl: upload.url })
  assert.notEqual(second.url, upload.url)
})

test('a line that breaks: it goes on by itself', async () => {
  const line = await breakingLine(10 * MIB)
  const bytes = film(20 * MIB, 9)
  let acknowledged = 0
  const { asked } = await sends(bytes, {
    endpoint: `${line.url}/api/v1/uploads`,
    chunkSize: 4 * MIB,
    retryDelays: [0, 50, 100, 500, 1000],
    onChunkComplete: (_, accepted) => {
      assert.ok(accepted > acknowledged, `${accepted} after ${acknowledged}`)
      acknowledged = accepted
    },
  })
  assert.ok(line.broken && asked.includes('HEAD'))
  line.end()
})

test('a line that breaks: found again by the file, in another run', async () => {
  const line = await breakingLine(10 * MIB)
  const bytes = film(20 * MIB, 10)
  const path = join(folder, '村口.mp4')
  writeFileSync(path, bytes)
  const options = {
    endpoint: `${line.url}/api/v1/uploads`, chunkSize: 4 * MIB, urlStorage: new FileUrlStorage(join(folder, 'urls')),
  }
  const first = await send(createReadStream(path), options)
  assert.ok(first.error && line.broken)
  const asked = []
  const upload = await new Promise((resolve, reject) => {
    const again = new Upload(createReadStream(path), {
      ...options, headers, metadata,
      onBeforeRequest: (request) => { asked.push(`${request.getMethod()} ${request.getHeader('Upload-Offset')}`) },
      onSuccess: () => resolve(again),
      onError: reject,
    })
    again.findPreviousUploads().then(([previous]) => {
      again.resumeFromPreviousUpload(previous)
      again.start()
    })
  })
  assert.equal(upload.url, first.upload.url)
  assert.equal(asked[0], 'HEAD undefined')
  // Two chunks were acknowledged before the line broke in the third.
  assert.ok(Number(asked[1].split(' ')[1]) >= 8 * MIB, asked[1])
  arrived({ url: upload.url }, bytes)
  line.end()
})
