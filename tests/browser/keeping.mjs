// What may not be lost, whatever happens: her film before anybody else has it, her word, and her time. Part of
// upload.test.mjs, which gives each test a phone.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { arrived, choose, copyOf, crash, drafts, pick, picture, prepared, says, send, signIn, until } from './phone.mjs'
import { badGateway, clipIs, portalFindsNothing, refuses, takesAtMost } from './proxies.mjs'

const QUOTA = { code: 'quota_day', message: '今天已经传了 5 GB，一天最多 5 GB。', next_step: '明天零点以后再传，或者先传短一点的。片子留在手机里，不会丢。' }
const DISK = { code: 'disk_low', message: '放片子的盘快满了，这会儿收不下新的。', next_step: '片子留在手机里，不会丢。过一会儿再传；老是这样，就告诉县里的老师。' }

/** The same film with a few bytes behind it that no player looks at, so that nobody has sent it before. */
const made = []
async function own(film) {
  const name = `free${process.pid}-${made.length}`
  const path = join(tmpdir(), `weijia-own-${name}.mp4`)
  const box = Buffer.alloc(64)
  box.writeUInt32BE(64)
  box.write(name, 4)
  made.push(path)
  await writeFile(path, Buffer.concat([await readFile(film), box]))
  return path
}
/** Copying takes until `letCopy()`; a page that is opened again begins anew. */
const holdCopies = (page) =>
  page.addInitScript(() => {
    const write = FileSystemWritableFileStream.prototype.write
    const held = new Promise((resolve) => (window.letCopy = resolve))
    FileSystemWritableFileStream.prototype.write = async function (...piece) {
      await held
      return write.apply(this, piece)
    }
  })
const draftOf = async (page, id) => (await drafts(page)).find((each) => each.id === id)

export function keeping({ phone, people, moving, wentOn, heavy, good }) {
  after(() => Promise.all(made.map((path) => rm(path, { force: true }))))

  test('a tab that crashes goes on by itself, also when it died before it could write down that there is a copy', () =>
    phone(0, async (page, via, signal) => {
      const film = await own(heavy)
      await page.addInitScript(() => {
        const put = IDBObjectStore.prototype.put
        IDBObjectStore.prototype.put = function (value, ...rest) {
          return put.call(this, value.stored === 'opfs' ? { ...value, stored: 'copying' } : value, ...rest)
        }
      })
      await signal({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, film, '页面崩了')
      await moving(page)
      const { size } = await draftOf(page, id)
      await until('the copy', async () => (await copyOf(page, id)) === size)
      assert.equal((await draftOf(page, id)).stored, 'copying')
      const since = via.sent.length
      await crash(page)
      const next = prepared(await page.context().newPage())
      await next.goto(via.base)
      await until('bytes to move by themselves', () => via.sent.length > since)
      await next.goto(`${via.base}/upload/${id}`)
      await arrived(next)
      wentOn(via, since)
    }))

  test('what she films is kept before a byte of it leaves, and before she has said what it is for', () =>
    phone(1, async (page, via) => {
      let created = 0
      via.fault = (incoming, _answer, pass) => {
        if (incoming.method === 'POST' && incoming.url.endsWith('/uploads')) created++
        pass()
      }
      const film = await own(good)
      await page.goto(`${via.base}/upload?assignment=A1`)
      await page.getByText('开始拍').waitFor()
      await pick(page, '开始拍', film)
      await says(page, '存进手机了，不会丢')
      await picture(page, 'upload-filmed')
      await crash(page)
      const next = prepared(await page.context().newPage())
      await next.goto(via.base)
      await next.getByText('拍好了，还没传').click()
      await next.getByRole('button', { name: /^(开始传|还是传这条)$/ }).waitFor()
      await next.reload()
      await next.getByRole('button', { name: /^(开始传|还是传这条)$/ }).waitFor()
      // She films it again, this time from the album's page: such a file is newer than her tap. The one before may be put back.
      await holdCopies(next)
      await next.goto(next.url())
      await next.getByText('换一条').waitFor()
      await next.evaluate(() => (Date.now = ((now) => () => now() - 3_600_000)(Date.now)))
      const chooser = next.waitForEvent('filechooser')
      await next.getByText('换一条').click()
      await (await chooser).setFiles(await own(good))
      await next.getByText('放回来').waitFor()
      await next.getByRole('button', { name: /^(开始传|还是传这条)$/ }).click()
      await says(next, '先在手机里存一份')
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await picture(next, 'upload-keeping')
      assert.equal(created, 0, 'nothing leaves before there is a copy')
      await next.evaluate(() => window.letCopy())
      await arrived(next)
      // One whose page dies in the middle of copying is asked for, and not shown as if it were there.
      await next.goto(`${via.base}/upload`)
      await pick(next, '开始拍', await own(good))
      await next.waitForURL(/film=/)
      await next.reload()
      await says(next, '再选一次这条片子')
    }))

  test('a film that is not taken now stays, says why, and goes on when she says so or when it may', () =>
    phone(2, async (page, via) => {
      const refused = (refusal, status) => (via.fault = refuses('POST', '/uploads', status, refusal))
      refused(DISK, 507)
      const id = await send(page, via.base, await own(good), '这会儿收不下')
      await says(page, DISK.message)
      await says(page, '过一会儿再传')
      await picture(page, 'upload-put-off-disk')
      const { size } = await draftOf(page, id)
      await until('the copy', async () => (await copyOf(page, id)) === size)
      refused(QUOTA, 422)
      await page.reload()
      await says(page, QUOTA.message)
      await picture(page, 'upload-put-off')
      assert.equal(await page.getByText('打不开').count(), 0)
      assert.ok((await draftOf(page, id)).again_at > Date.now())
      await page.goto(via.base)
      await says(page, QUOTA.message)
      await picture(page, 'upload-put-off-home')
      await page.goto(`${via.base}/upload/${id}`)
      via.fault = null
      await page.getByRole('button', { name: '接着传' }).click()
      await arrived(page)
      // Known before she begins, it can be put in line all the same.
      via.fault = (incoming, answer, pass) => {
        if (!incoming.url.includes('/uploads/allowance')) return refuses('POST', '/uploads', 422, QUOTA)(incoming, answer, pass)
        answer.writeHead(200, { 'content-type': 'application/json' })
        answer.end(JSON.stringify({ refusal: QUOTA }))
      }
      await choose(page, via.base, await own(good), '明天再传')
      await says(page, QUOTA.message)
      await picture(page, 'upload-later')
      await page.getByRole('button', { name: '先存着，能传了自己传' }).click()
      await page.getByRole('button', { name: '拿掉这条' }).click()
      await page.getByText('拿掉了“明天再传”').waitFor()
    }))

  test('a film that the server has lost is sent again from the copy, and nobody is asked for it', () =>
    phone(3, async (page, via, signal) => {
      await signal({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, await own(heavy), '服务器弄丢')
      await moving(page)
      const { url, clip_id, version_id, size } = await draftOf(page, id)
      await until('the copy', async () => (await copyOf(page, id)) === size)
      const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
      const lost = clipIs(via.target, clip_id, cookie, (clip) => {
        const version = clip.versions.find((each) => each.id === version_id)
        version.media_state = 'failed'
        version.refusal = { code: 'incomplete', message: '没存全。', next_step: '再传一次。' }
      })
      via.fault = (incoming, answer, pass) => {
        if (incoming.url !== url) return lost(incoming, answer, pass)
        incoming.resume()
        answer.writeHead(410, { 'tus-resumable': '1.0.0' }).end()
      }
      await signal({ offline: true })
      await signal({})
      await arrived(page)
      const now = await draftOf(page, id)
      assert.deepEqual([now.clip_id, now.lost_times, now.url === url], [clip_id, 1, false])
    }))

  test('a portal that finds nothing takes no clip away, and the copy stays until the server has it', () =>
    phone(4, async (page, via) => {
      via.fault = portalFindsNothing('/clips/')
      const id = await send(page, via.base, await own(good), '网页说没有')
      await says(page, '传完了，一点没丢')
      const { size } = await draftOf(page, id)
      await new Promise((resolve) => setTimeout(resolve, 4000))
      assert.equal((await draftOf(page, id)).cancelled_at, null)
      assert.equal(await copyOf(page, id), size)
      via.fault = null
      await says(page, '到了，能看了')
      await until('the room to be given back', async () => (await copyOf(page, id)) === null)
    }))

  test('a gateway that takes not even the smallest piece is not run against, and another network helps', () =>
    phone(5, async (page, via, signal) => {
      via.fault = takesAtMost(100 << 10)
      await send(page, via.base, await own(good), '网关太小')
      await says(page, '连着的网不让传片子')
      await picture(page, 'upload-gateway')
      const since = via.sent.length
      await new Promise((resolve) => setTimeout(resolve, 4000))
      assert.ok(via.sent.length - since <= 1, JSON.stringify(via.sent))
      via.fault = null
      await signal({ offline: true })
      await signal({})
      await arrived(page)
    }))

  test('her pause holds, whatever the page was waiting for', () =>
    phone(6, async (page, via) => {
      let cut
      via.fault = (incoming, answer, pass) => (incoming.url.includes('/uploads/same') ? (cut = () => badGateway(incoming, answer)) : pass())
      await send(page, via.base, await own(good), '先别传')
      await until('the question', () => cut)
      await page.getByRole('button', { name: '先停一停' }).click()
      await says(page, '先停着，传好的都在')
      via.fault = null
      cut()
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await says(page, '先停着，传好的都在')
      assert.equal(via.sent.length, 0)
    }))

  test('the look at a film keeps nobody waiting longer than three seconds', () =>
    phone(7, async (page, via) => {
      // Measured on the page itself: from the film to the button.
      await page.addInitScript(() => {
        document.addEventListener('change', () => (window.picked_at = performance.now()), true)
        new MutationObserver(() => {
          if (window.picked_at && !window.looked_ms && document.querySelector('.dock button.act:not(:disabled)')) window.looked_ms = performance.now() - window.picked_at
        }).observe(document, { subtree: true, childList: true, attributes: true })
      })
      const looked = async (film) => {
        await page.goto(`${via.base}/upload?assignment=A1`)
        await page.getByText('用手机里的片子').waitFor()
        await pick(page, '用手机里的片子', film)
        return until('the look to be over', () => page.evaluate(() => window.looked_ms))
      }
      const ordinary = await looked(good)
      console.log(`an ordinary film: looked at in ${Math.round(ordinary)} ms`)
      assert.ok(ordinary < 3000, `${ordinary} ms`)
      // Nobody answers, and the film never opens. Two busy cores may be late by as much again.
      await page.addInitScript(() => Object.defineProperty(HTMLMediaElement.prototype, 'src', { set() {} }))
      via.fault = (incoming, _answer, pass) => (/course|allowance/.test(incoming.url) ? undefined : pass())
      const hanging = await looked(good)
      assert.ok(hanging > 2000 && hanging < 6000, `${hanging} ms`)
      await says(page, '刚才选的那个作业')
      await picture(page, 'upload-course-hangs')
    }))

  test('the phone goes to another woman on another page: nothing goes on in her name', () =>
    phone(8, async (page, via, signal) => {
      let created = 0
      via.fault = (incoming, _answer, pass) => {
        if (incoming.method === 'POST' && incoming.url.endsWith('/uploads')) created++
        pass()
      }
      await signal({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, await own(heavy), '手机给了别人')
      await moving(page)
      const other = prepared(await page.context().newPage())
      await signIn(other, via.base, people[9])
      await says(page, '这条已经不在路上了')
      const { sent } = via
      const since = sent.length
      await new Promise((resolve) => setTimeout(resolve, 2500))
      assert.deepEqual([created, sent.length], [1, since])
      await signal({})
      await signIn(other, via.base, people[8])
      await page.goto(`${via.base}/upload/${id}`)
      await arrived(page)
      wentOn(via, since)
    }))
}
