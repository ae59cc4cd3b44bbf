// @uppy/aws-s3 in a browser: parts on signed links, from a page of another origin than the store.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { browser, site } from './browser.mjs'
import { MIB, arrived, film } from './support.mjs'

const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, WEIJIA_BUCKET } = process.env
const folder = mkdtempSync(join(tmpdir(), 'aws-s3-'))
let pages
let running
before(async () => {
  pages = await site()
  running = await browser(join(folder, 'profile'))
})
after(async () => {
  await running?.kill()
  pages?.end()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
})

for (const [size, parts] of [[16 * MIB + 1, 4], [70_000, 0]]) {
  test(`${size} bytes in ${parts || 'no'} parts`, async () => {
    const { page } = running
    const bytes = film(size, 30)
    const path = join(folder, `${size}.mp4`)
    const key = `uppy/油菜花 +${size}.mp4`
    writeFileSync(path, bytes)
    await page.goto(pages.url)
    await page.evaluate((options) => window.s3(options), {
      endpoint: `${AWS_ENDPOINT_URL}/${WEIJIA_BUCKET}`,
      region: AWS_REGION,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
      key,
    })
    await page.setInputFiles('input', path)
    await page.waitForFunction(() => window.seen.done || window.seen.error)
    const seen = await page.evaluate(() => window.seen)
    assert.equal(seen.error, null)
    // It read the ETag of every part, which a page may only when the store exposes it.
    assert.deepEqual(seen.parts.map((part) => part.PartNumber), Array.from({ length: parts }, (_, n) => n + 1))
    for (const part of seen.parts) assert.match(part.ETag, /[0-9a-f]{32}/)
    arrived({ bucket: WEIJIA_BUCKET, key }, bytes)
  })
}
