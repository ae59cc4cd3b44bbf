// Her upload in a real browser, and everything that goes wrong on the way: the phone kills the page, the bus goes through
// a tunnel, a proxy swallows, refuses or answers for the server. Started by tests/tests/browser.rs, which looks
// afterwards that every clip has arrived whole and none twice.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:net'
import { keeping } from './keeping.mjs'
import { badGateway, buffers, holdsAfter, portal, proxy, takesAtMost } from './proxies.mjs'
import { arrived, choose, drafts, fillIn, KillableBrowser, launch, line, open, pick, picture, says, send, signIn, until } from './phone.mjs'

const { WEIJIA_URL: base, WEIJIA_HEAVY: file, WEIJIA_OTHER: another, WEIJIA_NOT_A_VIDEO: text, WEIJIA_CONTROL: control } = process.env
const films = JSON.parse(process.env.WEIJIA_FILMS)
const { trainees } = JSON.parse(process.env.WEIJIA_PEOPLE)

let browser
before(async () => (browser = await launch()))
after(() => browser?.close())

/** Her phone, signed in, behind a proxy of its own that so far passes everything on. */
async function phone(n, story) {
  const via = await proxy(base)
  const page = await open(browser)
  try {
    await signIn(page, via.base, trainees[n])
    await story(page, via, await line(page))
  } catch (error) {
    console.error(trainees[n].name, via.sent, await drafts(page).catch(() => 'no drafts'))
    await picture(page, `failed-upload-${n}`)
    throw error
  } finally {
    await page.context().close()
    via.close()
  }
}

/** The one clip on its way, once this holds of it. */
const draft = (page, what, holds) => until(what, async () => (await drafts(page)).find(holds))
const moving = (page) => draft(page, 'bytes to move', (d) => d.phase === 'sending' && d.offset > 300_000)
/** Each piece begins where the server had said. (Chromium itself sends a request again whose connection broke; that one is refused.) */
function followed(via) {
  const again = (piece, k) => via.sent.slice(0, k).some(({ upload, from, length }) => upload === piece.upload && from === piece.from && length === piece.length)
  assert.ok(via.sent.every((piece, k) => piece.from === piece.said || again(piece, k)), JSON.stringify(via.sent))
}
/** Went on where the server had said, and did not begin anew. */
function wentOn(via, since) {
  followed(via)
  assert.equal(via.sent.at(-1).upload, via.sent[since - 1].upload, JSON.stringify(via.sent))
  assert.ok(via.sent.length > since, JSON.stringify(via.sent))
}

describe('what may not be lost', { concurrency: 3 }, () => keeping({ phone, people: trainees, moving, wentOn, heavy: file, good: films.good }))

describe('what goes wrong on the way', { concurrency: 3 }, () => {
  test('a killed browser goes on by itself, without the file being picked again', async () => {
    const via = await proxy(base)
    const killable = new KillableBrowser()
    try {
      await signIn(await killable.start(), via.base, trainees[0])
      await killable.close()
      let page = await killable.start()
      await (await line(page))({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, file, '浏览器被杀')
      await draft(page, 'a copy, and bytes that move', (d) => d.stored === 'opfs' && d.offset > 1_000_000)
      await killable.kill()
      const since = via.sent.length
      page = await killable.start()
      await page.goto(via.base)
      await until('bytes to move by themselves', () => via.sent.length > since)
      wentOn(via, since)
      assert.ok(via.sent.at(-1).from > 0, JSON.stringify(via.sent))
      await page.goto(`${via.base}/upload/${id}`)
      await arrived(page)
    } finally {
      await killable.remove()
      via.close()
    }
  })

  test('a page that dies before the copy is there asks for the file and goes on', () =>
    phone(1, async (page, via, signal) => {
      await signal({ uploadThroughput: 300_000 })
      // A phone that is out of room: nothing can be copied.
      await page.addInitScript(() => {
        navigator.storage.getDirectory = () => Promise.reject(new DOMException('full', 'QuotaExceededError'))
        const put = IDBObjectStore.prototype.put
        IDBObjectStore.prototype.put = function (value, ...rest) {
          if (value instanceof Blob) throw new DOMException('full', 'QuotaExceededError')
          return put.call(this, value, ...rest)
        }
      })
      await send(page, via.base, file, '没存下')
      await moving(page)
      await says(page, '手机快满了')
      await page.reload()
      await says(page, '再选一次这条片子')
      await picture(page, 'upload-file-gone')
      const since = via.sent.length
      await pick(page, '再选一次', text)
      await says(page, '这条不是刚才那条')
      await signal({})
      await pick(page, '再选一次', file)
      await arrived(page)
      wentOn(via, since)
    }))

  test('airplane mode, and a session that ends meanwhile: it goes on after signing in', () =>
    phone(2, async (page, via, signal) => {
      await signal({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, file, '飞行模式')
      await moving(page)
      await signal({ offline: true })
      await says(page, '信号断了，传好的都在')
      await picture(page, 'upload-no-signal')
      const since = via.sent.length
      await signal({ uploadThroughput: 300_000 })
      await until('bytes to move again', () => via.sent.length > since)
      wentOn(via, since)
      await draft(page, 'bytes to move again', (d) => d.phase === 'sending')
      await page.context().clearCookies()
      await signal({ offline: true })
      await says(page, '信号断了，传好的都在')
      await signal({})
      await page.waitForURL(/\/sign-in/)
      const before = via.sent.length
      await fillIn(page, trainees[2])
      await page.waitForURL(new RegExp(id))
      await arrived(page)
      wentOn(via, before)
    }))

  test('a proxy that buffers gets pieces of about eight seconds', () =>
    phone(3, async (page, via, signal) => {
      via.fault = buffers
      await signal({ uploadThroughput: 300_000 })
      await send(page, via.base, file, '爱攒着的代理')
      const first = await until('a second request', () => via.sent[1])
      assert.ok(via.sent[0].length > 10_000_000, 'one open-ended request at first')
      assert.ok(first.length < 6_000_000, `then a piece: ${first.length}`)
      await until('the piece to be acknowledged', () => via.sent[2]?.from > 0)
      await signal({})
      await arrived(page)
    }))

  test("a proxy's 413 and 502 are not her clip's fault", () =>
    phone(4, async (page, via) => {
      via.fault = badGateway
      await send(page, via.base, file, '代理只收小的')
      await says(page, '老师那边正忙')
      await draft(page, 'a copy', (d) => d.stored === 'opfs')
      await picture(page, 'upload-server-busy')
      via.fault = takesAtMost(1 << 20)
      await page.reload()
      await arrived(page)
      assert.ok(via.sent.some(({ length }) => length > 1 << 20), 'it was refused before')
      assert.ok(!(await page.getByText('太大').count()))
    }))

  test("a WiFi that shows its own page is not taken for the server, nor an upload that is gone for the end", () =>
    phone(5, async (page, via, signal) => {
      await signal({ uploadThroughput: 300_000 })
      const id = await send(page, via.base, file, '要登录的网')
      await moving(page)
      via.fault = portal
      await signal({ offline: true })
      await signal({ uploadThroughput: 300_000 })
      await says(page, '连着的 WiFi 还不能用')
      await picture(page, 'upload-portal')
      via.fault = null
      const [{ url }] = await drafts(page)
      await draft(page, 'bytes to move', (d) => d.phase === 'sending')
      // Somebody ended it on the server: it is made again.
      await page.evaluate((url) => fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }), url)
      await signal({ offline: true })
      await signal({})
      await arrived(page)
      assert.notEqual((await drafts(page)).find((d) => d.id === id)?.url, url)
    }))

  test('a refusal is told in words, and a piece that the server wants again is sent again', () =>
    phone(6, async (page, via) => {
      await send(page, via.base, text, '不是片子')
      await says(page, '这个文件打不开，不像是一条片子')
      await picture(page, 'upload-refused')
      await page.getByRole('button', { name: '拿掉这条' }).click()
      let wrong = [460, 409]
      via.fault = (incoming, answer, pass) => {
        if (incoming.method !== 'PATCH' || !wrong.length) return pass()
        incoming.resume()
        incoming.on('end', () => {
          answer.writeHead(wrong.shift(), { 'tus-resumable': '1.0.0', 'content-type': 'application/json' })
          answer.end(JSON.stringify({ code: 'again', message: '没对上。', next_step: '再来。' }))
        })
      }
      await send(page, via.base, file, '再发一次')
      await arrived(page)
      assert.equal(wrong.length, 0)
    }))

  test('several wait their turn; one is paused, one taken away and put back; one tab sends', () =>
    phone(7, async (page, via, signal) => {
      await signal({ uploadThroughput: 150_000 })
      const first = await send(page, via.base, file, '头一条')
      await moving(page)
      const second = await send(page, via.base, another, '第二条')
      await says(page, '前面还有 1 条，传完就到这条')
      await picture(page, 'upload-queued')
      const other = await page.context().newPage()
      await other.goto(`${via.base}/upload/${second}`)
      await says(other, '前面还有 1 条，传完就到这条')
      // Paused in the tab that does not send: the other one stops, and the next one goes.
      await other.goto(`${via.base}/upload/${first}`)
      await other.getByRole('button', { name: '先停一停' }).click()
      await says(other, '先停着，传好的都在')
      await page.getByRole('heading', { name: /正在传|接着上回的传/ }).waitFor()
      await draft(page, 'bytes of the second to move', (d) => d.id === second && d.offset > 300_000)
      await picture(other, 'upload-paused')
      await page.getByRole('button', { name: '不传这条了' }).click()
      await page.getByText('拿掉了“第二条”').waitFor()
      await draft(page, 'it to be taken away', (d) => d.id === second && d.cancelled_at !== null)
      // Her finger on it keeps it there.
      await page.locator('.toast').dispatchEvent('pointerdown')
      // A page that opens meanwhile does not take from her what she may still take back.
      await other.reload()
      await says(other, '先停着，传好的都在')
      await page.getByRole('button', { name: '放回来' }).click()
      await draft(page, 'it to be back', (d) => d.id === second && d.cancelled_at === null)
      await signal({})
      await page.goto(`${via.base}/upload/${second}`)
      await arrived(page)
      await other.getByRole('button', { name: '接着传' }).click()
      await arrived(other)
      followed(via)
      assert.equal(new Set(via.sent.map(({ upload }) => upload)).size, 2, `one upload for each: ${JSON.stringify(via.sent)}`)
    }))

  test('what is the matter with a film is said before it costs her anything, and nothing about a good one', () =>
    phone(10, async (page, via) => {
      // The look ends within three seconds, with what has been seen by then; here a busy machine gets the time it needs.
      await page.addInitScript(() => {
        const real = window.setTimeout
        window.setTimeout = (act, ms, ...rest) => real(act, ms >= 2500 && ms <= 3000 ? 60_000 : ms, ...rest)
      })
      const words = {
        good: [], dark: ['这条太暗'], mute: ['这条没有声音'], silent: ['这条听不到人声'], sideways: ['这条是横着的'],
        short: ['这条 5 秒，这个作业要 20 到 40 秒'],
      }
      for (const [film, expected] of Object.entries(words)) {
        await page.goto(`${via.base}/upload?assignment=A1`)
        await page.getByText('用手机里的片子').waitFor()
        const began = Date.now()
        await pick(page, '用手机里的片子', films[film])
        const act = page.getByRole('button', { name: expected.length ? '还是传这条' : '开始传' })
        await act.waitFor()
        console.log(`${film}: looked at in ${Date.now() - began} ms`)
        await page.locator('.still img').waitFor()
        const said = await page.locator('.found li').allTextContents()
        assert.equal(said.length, expected.length, `${film}: ${said}`)
        expected.forEach((text, k) => assert.ok(said[k].includes(text), `${film}: ${said}`))
        assert.equal(await page.locator('label', { hasText: '换一条' }).count(), 1)
        await picture(page, `upload-film-${film}`)
      }
      // A film that this phone never gets to see is not waited for.
      const blind = await page.context().newPage()
      await blind.addInitScript(() => Object.defineProperty(HTMLMediaElement.prototype, 'src', { set() {} }))
      await choose(blind, via.base, films.good, '一直打不开')
      await blind.getByRole('button', { name: '开始传' }).waitFor()
      await blind.close()
      // What would not be taken is not even offered.
      via.fault = (incoming, answer, pass) => {
        if (!incoming.url.includes('/uploads/allowance')) return pass()
        answer.writeHead(200, { 'content-type': 'application/json' })
        answer.end(JSON.stringify({ refusal: { code: 'full', message: '今天传满了。', next_step: '明天再传。' } }))
      }
      await choose(page, via.base, films.good, '传满了')
      await says(page, '今天传满了')
      assert.equal(await page.getByRole('button', { name: '开始传' }).count(), 0)
      await picture(page, 'upload-no-room')
      via.fault = null
      // What this browser cannot play, and does not even look like a film, may be sent: the server decides.
      await choose(page, via.base, text, '放不出')
      await says(page, '要是没选错，照样能传')
      assert.equal(await page.locator('.found li').count(), 0)
      assert.equal(via.sent.length, 0, 'and nothing was sent')
    }))

  test('the same film again costs nothing', () =>
    phone(11, async (page, via) => {
      await send(page, via.base, file, '头一回')
      await arrived(page)
      assert.ok(via.sent.length > 0)
      const since = via.sent.length
      const answers = []
      page.on('response', (answer) => answer.url().includes('/uploads') && answers.push(`${answer.request().method()} ${answer.status()} ${answer.url()}`))
      await send(page, via.base, file, '又一回')
      await page.getByRole('heading', { name: /这条传过，没再花流量|到了，能看了/ }).waitFor()
      await picture(page, 'upload-had')
      assert.equal(via.sent.length, since, answers.join('\n'))
    }))

  test('only on WiFi: it waits, stops when she leaves it, and asks where the phone does not say', () =>
    phone(8, async (page, via, signal) => {
      await signal({ uploadThroughput: 300_000 })
      await page.addInitScript(() => {
        const line = Object.assign(new EventTarget(), { type: localStorage.getItem('test.line') ?? undefined })
        Object.defineProperty(Navigator.prototype, 'connection', { get: () => line, configurable: true })
        window.goTo = (type) => {
          line.type = type
          localStorage.setItem('test.line', type)
          line.dispatchEvent(new Event('change'))
        }
      })
      await page.goto(via.base)
      await page.evaluate(() => window.goTo('cellular'))
      await choose(page, via.base, file, '等网')
      await says(page, '用流量大约要')
      await page.getByRole('switch', { name: '只在 WiFi 下传' }).click()
      await picture(page, 'upload-wifi-only')
      await page.getByRole('button', { name: /等 WiFi 传/ }).click()
      await says(page, '等有 WiFi 再传')
      assert.equal(via.sent.length, 0)
      await page.evaluate(() => window.goTo('wifi'))
      await moving(page)
      await page.evaluate(() => window.goTo('cellular'))
      await says(page, '等有 WiFi 再传')
      await page.evaluate(() => window.goTo('unknown'))
      await page.getByRole('button', { name: '连上 WiFi 了，点这里就传' }).click()
      await signal({})
      await arrived(page)
      await choose(page, via.base, text, '不知道连着什么')
      await page.getByRole('button', { name: '开始传' }).click()
      await page.getByRole('heading', { name: '现在连着 WiFi 吗？' }).waitFor()
      await picture(page, 'upload-asks')
      await page.getByRole('button', { name: '没有，先存着' }).click()
      await says(page, '等有 WiFi 再传')
    }))
})

test('the server is killed and started again: it goes on from what was durable', () =>
  phone(9, async (page, via) => {
    // More than one part comes through, so that something is durable before the connection ends.
    via.fault = holdsAfter(9 << 20)
    await send(page, via.base, file, '服务器断电')
    const { clip_id } = await draft(page, 'an upload', (d) => d.clip_id)
    const stored = () => page.evaluate((id) => fetch(`/api/v1/clips/${id}`).then((r) => r.json()).then((c) => c.upload.offset), clip_id)
    await until('a durable part', async () => (await stored()) >= 8 << 20)
    const since = via.sent.length
    await new Promise((resolve, reject) => connect(Number(control), '127.0.0.1').on('close', resolve).on('error', reject).resume())
    via.fault = null
    await arrived(page)
    wentOn(via, since)
  }))
