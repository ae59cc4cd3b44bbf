// Uppy and its Golden Retriever in a browser that is killed in the middle of an upload.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { browser, site } from './browser.mjs'
import { MIB, arrived, base, film } from './support.mjs'

const folder = mkdtempSync(join(tmpdir(), 'golden-retriever-'))
const bytes = film(24 * MIB, 20)
const path = join(folder, '油菜花.mp4')
writeFileSync(path, bytes)

// The first request gets 10 MiB through and then nothing, until the browser is gone.
const offsets = []
let killed = false
const pages = await site(base, (request, onward) => {
  offsets.push(Number(request.headers['upload-offset']))
  if (killed) return request.pipe(onward)
  let left = 10 * MIB
  request.on('data', (chunk) => {
    onward.write(chunk.subarray(0, left))
    left -= Math.min(left, chunk.length)
    if (left === 0) request.pause()
  })
})
let running
after(async () => {
  await running?.kill()
  pages.end()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
})

/** What Golden Retriever has put where a killed browser finds it again. */
const kept = () => new Promise((resolve, reject) => {
  const opening = indexedDB.open('uppy-blobs')
  opening.onerror = reject
  opening.onsuccess = () => {
    const db = opening.result
    const read = db.transaction([...db.objectStoreNames])
    const stores = [...db.objectStoreNames].map((name) => read.objectStore(name).getAll())
    read.oncomplete = () => {
      db.close()
      const records = stores.flatMap((store) => store.result)
      resolve({
        bytes: records.map((record) => record.data?.size ?? 0).reduce((a, b) => a + b, 0),
        state: records.map((record) => record.metadata ?? '').join(),
      })
    }
  }
})

test('a killed browser finds the file again and goes on from what the server has', async () => {
  const profile = join(folder, 'profile')
  running = await browser(profile)
  const [name, value] = process.env.WEIJIA_COOKIE.split('=')
  await running.context.addCookies([{ name, value, url: pages.url }])
  await running.page.goto(pages.url)
  await running.page.evaluate(() => window.tus())
  await running.page.setInputFiles('input', path)
  await running.page.waitForFunction(() => window.uppy.getFiles()[0]?.progress.bytesUploaded > 8 * (1 << 20))
  const deadline = Date.now() + 120_000
  for (;;) {
    const { bytes: size, state } = await running.page.evaluate(kept)
    if (size === bytes.length && state.includes('/api/v1/uploads/')) break
    assert.ok(Date.now() < deadline, `of ${bytes.length} bytes ${size} are kept, and of the upload ${state}`)
    await running.page.waitForTimeout(200)
  }
  await running.kill()
  killed = true
  const before = offsets.length

  running = await browser(profile)
  await running.context.addCookies([{ name, value, url: pages.url }])
  await running.page.goto(pages.url)
  await running.page.evaluate(() => window.tus())
  await running.page.waitForFunction(() => window.seen.restored)
  await running.page.evaluate(() => window.uppy.emit('restore-confirmed'))
  await running.page.waitForFunction(() => window.seen.done || window.seen.error)
  const { done, error } = await running.page.evaluate(() => window.seen)
  assert.equal(error, null)
  assert.equal(offsets[0], 0)
  // How much of the 10 MiB had reached the server is the network's affair, and so is whether one request is enough.
  const first = offsets[before]
  assert.ok(first > 0 && first <= 10 * MIB, `${offsets}, ${before} of them before the browser was killed`)
  arrived({ url: done }, bytes)
})
