// The journey in a real browser, through the real pages: she uploads on her phone and reloads in the middle, it plays,
// her mentor answers at a second on the desk, she sees it there. Started by tests/tests/browser.rs, which starts the server.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'

const { WEIJIA_URL: base, WEIJIA_CLIP: file, WEIJIA_CHROMIUM: executablePath, WEIJIA_SHOTS: shots } = process.env
const { trainee, mentor, staff } = JSON.parse(process.env.WEIJIA_PEOPLE)
const TITLE = '浏览器里的一条'

let browser
let phone
let clip

before(async () => {
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
  })
  phone = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true })
})
after(() => browser?.close())

/** A test whose failure leaves a picture of every open page, where pictures were asked for. */
const act = (title, story) => test(title, async () => {
  try {
    await story()
  } catch (error) {
    const pages = browser.contexts().flatMap((context) => context.pages())
    for (const [n, page] of pages.entries()) await picture(page, `failed-${n}`)
    throw error
  }
})

/** A page of a person of her own: nobody's cookies but hers. */
async function open(device) {
  const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai', ...device })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  page.on('pageerror', (error) => console.error('page error:', error))
  return page
}

async function signIn(page, path, person) {
  await page.goto(base + path)
  await page.getByLabel('手机号').fill(person.phone)
  await page.getByLabel('密码', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'))
}

/** Leaves a picture of the page where a person asked for them. */
async function picture(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` })
}

/** The video's time moves on by itself, and its picture stands upright. */
async function plays(page) {
  const video = page.locator('video').first()
  await page.waitForFunction(() => document.querySelector('video')?.readyState >= 2)
  const [width, height] = await video.evaluate((v) => [v.videoWidth, v.videoHeight])
  assert.ok(height > width, `upright: ${width}x${height}`)
  const began = await video.evaluate((v) => v.play().then(() => v.currentTime))
  await page.waitForFunction((t) => document.querySelector('video').currentTime > t + 0.8, began)
}

act('she signs in and uploads; a reload in the middle goes on from where it was', async () => {
  await signIn(phone, '/sign-in', trainee)
  await picture(phone, '1-home')
  await phone.goto(`${base}/upload?assignment=A1`)
  await phone.locator('label', { hasText: '用手机里的片子' }).locator('input[type=file]').setInputFiles(file)
  await phone.getByLabel('叫什么名字').fill(TITLE)
  await picture(phone, '2-chosen')

  const offsets = []
  phone.on('request', (request) => {
    if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']))
  })
  const slow = await phone.context().newCDPSession(phone)
  await slow.send('Network.enable')
  const line = (uploadThroughput) => ({ offline: false, latency: 20, downloadThroughput: -1, uploadThroughput })
  await slow.send('Network.emulateNetworkConditions', line(150_000))
  await phone.getByRole('button', { name: '还是传这条' }).click()
  await phone.waitForURL(/\/upload\/./)

  // Some of it is there, and not all: now the phone throws the page away.
  await phone.waitForFunction(() => {
    const sent = [...document.querySelectorAll('.nums b')].map((b) => parseFloat(b.textContent))
    return sent[0] > 0.3
  })
  await picture(phone, '3-sending')
  assert.deepEqual(offsets.slice(0, 1), [0])
  const before = offsets.length
  await phone.reload()
  await slow.send('Network.emulateNetworkConditions', line(1_000_000))
  const look = phone.getByRole('button', { name: '看一遍' })
  await look.waitFor({ timeout: 120_000 })
  assert.ok(offsets.length > before && offsets[before] > 0, `goes on, not from the start: ${offsets}`)
  await picture(phone, '4-arrived')
  await look.click()
  await phone.waitForURL(/\/clips\/./)
  clip = phone.url().split('/').pop()
})

act('it plays upright, its time moves on, and she hands it in', async () => {
  await plays(phone)
  await picture(phone, '5-plays')
  await phone.getByRole('button', { name: '交给老师' }).click()
  await phone.getByRole('button', { name: '交给老师' }).waitFor({ state: 'detached' })
  const state = (id) => fetch(`/api/v1/clips/${id}`).then((r) => r.json()).then((seen) => seen.state === 'submitted')
  await phone.waitForFunction(state, clip)
})

act('her mentor takes it, types at a second, scores, and sends', async () => {
  const desk = await open({ viewport: { width: 1360, height: 900 } })
  await signIn(desk, '/studio/sign-in', mentor)
  await desk.goto(`${base}/studio/queue`)
  await desk.getByRole('option').filter({ hasText: TITLE }).getByRole('button').click()
  await desk.waitForURL(/\/studio\/desk\/./)
  await plays(desk)
  assert.equal(await desk.getByRole('radio', { checked: true }).count(), 0, 'opening scores nothing')

  // Typing stops the video, and what is typed hangs on that second.
  const write = desk.getByLabel('写一句')
  await write.pressSequentially('笑得真自然')
  assert.equal(await desk.locator('video').first().evaluate((v) => v.paused), true, 'typing pauses')
  await write.press('Enter')
  await desk.getByRole('tab').nth(1).click()
  await desk.locator('video').first().evaluate((v) => { v.pause(); v.currentTime = 2 })
  await desk.waitForFunction(() => !document.querySelector('video').seeking)
  await write.pressSequentially('离手机再近一点')
  await write.press('Enter')
  await desk.getByRole('tab', { name: '总的话' }).click()
  await desk.getByRole('textbox', { name: /^总的一句/ }).fill('讲得明白，听得出是自己村。')
  await desk.getByRole('textbox', { name: /^下一步/ }).fill('离近一点再拍一条。')
  for (const level of await desk.getByRole('radio', { name: / 3 级/ }).all()) await level.click()
  for (const gate of await desk.getByRole('button', { name: /：没问题/ }).all()) await gate.click()
  await desk.getByRole('radio', { name: '请她再拍' }).click()
  await picture(desk, '6-desk')
  await desk.getByRole('button', { name: '发给她' }).click()
  await desk.waitForURL(/\/studio\/queue/)
  await desk.context().close()
})

act('she sees it at that second', async () => {
  await phone.goto(`${base}/clips/${clip}`)
  const remark = phone.locator('article', { hasText: '离手机再近一点' })
  await remark.waitFor()
  await phone.getByText('笑得真自然').first().waitFor()
  await picture(phone, '7-answered')
  await remark.getByRole('button', { name: /看这一段/ }).click()
  // It starts at the second he meant and runs on from there.
  await phone.waitForFunction(() => {
    const { currentTime, paused } = document.querySelector('video')
    return !paused && currentTime > 2.3 && currentTime < 6
  })
  await picture(phone, '8-at-that-second')
})

act('the desk of the county finds her in the cohort', async () => {
  const office = await open({ viewport: { width: 1360, height: 900 } })
  await signIn(office, '/studio/sign-in', staff)
  const cohorts = await office.evaluate(() => fetch('/api/v1/cohorts').then((r) => r.json()))
  await office.goto(`${base}/studio/cohorts/${cohorts.cohorts[0].id}`)
  await office.getByText(trainee.name).first().waitFor()
  await picture(office, '9-cohort')
  await office.context().close()
})
