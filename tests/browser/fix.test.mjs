// 改给我看: she tries what was asked for, says where she changed it, and her mentor sees before and after side by side.
import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { launch, open, picture, prepared, says, signIn, until } from './phone.mjs'

const base = process.env.WEIJIA_URL
const { WEIJIA_CLIP: clip, WEIJIA_TICKET: ticket } = process.env
const { trainee, mentor } = JSON.parse(process.env.WEIJIA_PEOPLE)
let browser, phone, office

before(async () => {
  browser = await launch()
  phone = await open(browser)
  await signIn(phone, base, trainee)
})
after(() => browser.close())

test('she says that she tries, and takes a slip of the finger back', async () => {
  await phone.goto(`${base}/clips/${clip}`)
  await says(phone, '第 1 版说过的，改了没有')
  const fix = phone.locator('article.fb.fix .marks')
  const declines = fix.getByRole('button', { name: '我另有想法' })
  await declines.tap()
  await until('her word to be kept', () => declines.getAttribute('aria-pressed').then((is) => is === 'true'))
  await declines.tap()
  const tries = fix.getByRole('button', { name: '我试试' })
  await tries.tap()
  await until('her word to be kept', () => tries.getAttribute('aria-pressed').then((is) => is === 'true'))
  await picture(phone, 'fix-trying')
})

test('before and after play side by side, and she says where it is', async () => {
  await phone.getByRole('link', { name: '改了，对着看' }).tap()
  await phone.waitForURL(/\/compare/)
  await until('both to play', () => phone.locator('video').evaluateAll((all) => all.length === 2 && all.every((v) => v.currentTime > 0 && v.videoWidth > 0)))
  const clock = phone.locator('figcaption .num').nth(1)
  const guessed = await clock.textContent()
  await phone.getByRole('button', { name: '晚一秒' }).tap()
  assert.notEqual(await clock.textContent(), guessed)
  await picture(phone, 'fix-compare')
  await phone.getByRole('button', { name: '改在这里' }).tap()
  await says(phone, '说好了，老师会对着看。')
})

test('her mentor is shown the place, and settles it on the version', async () => {
  const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai', viewport: { width: 1440, height: 900 } })
  office = prepared(await context.newPage())
  await signIn(office, base + '/studio', mentor)
  await office.goto(`${base}/studio/desk/${ticket}`)
  await says(office, '她说改在')
  await office.getByRole('button', { name: '改好了' }).click()
  await says(office, '存好了')
  await picture(office, 'fix-desk')
  await office.getByRole('button', { name: '回避' }).click()
  await says(office, '这一条我回避')
  await picture(office, 'fix-recuse')
})
