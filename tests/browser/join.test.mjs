// A class comes in: staff bring the roster and open the door, phones press four digits, seats turn green. Who is on the
// roster types nothing from the first screen to her seat.
import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { launch, open, picture, prepared, says } from './phone.mjs'

const base = process.env.WEIJIA_URL
const { staff } = JSON.parse(process.env.WEIJIA_PEOPLE)
const ROSTER = '姓名,手机号,县,乡镇,村,组\n彭秀英,13700000001,龙山县,里耶镇,比耳村,三组\n梁玉珍,13700000002,龙山县,里耶镇,没有的村,三组\n'
let browser, office, cohort

before(async () => {
  browser = await launch()
  const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai', viewport: { width: 1440, height: 900 } })
  office = prepared(await context.newPage())
  await office.goto(base + '/studio/sign-in')
  await office.getByLabel('手机号').fill(staff.phone)
  await office.getByLabel('密码', { exact: true }).fill(staff.password)
  await office.getByRole('button', { name: '登录' }).click()
  await office.waitForURL(/\/studio\/(?!sign-in)/)
  const { cohorts } = await office.evaluate(() => fetch('/api/v1/cohorts').then((answer) => answer.json()))
  cohort = cohorts.find((c) => c.manages).id
})
after(() => browser.close())

/** A phone on which every key that is typed, and every box for letters, is counted. */
async function phone(device) {
  const page = await open(browser, device)
  await page.addInitScript(() => {
    window.typed = 0
    for (const kind of ['keydown', 'input']) addEventListener(kind, () => (window.typed += 1), true)
  })
  return page
}
const press = async (page, digits) => {
  for (const digit of digits) await page.locator('.keys').getByRole('button', { name: digit, exact: true }).tap()
}

test('a roster brings in whom it can, and names the row that it cannot', async () => {
  await office.goto(`${base}/studio/cohorts/${cohort}/roster`)
  await office.locator('input[type=file]').setInputFiles({ name: '名单.csv', mimeType: 'text/csv', buffer: Buffer.from(ROSTER) })
  await says(office, '彭秀英')
  await says(office, /第 3 行：没找到/)
  await picture(office, 'join-roster')
})

let code
test('staff open the door, and the hall sees four digits', async () => {
  await office.goto(`${base}/studio/cohorts/${cohort}`)
  await office.getByRole('link', { name: '入班' }).click()
  await says(office, '门还关着')
  await picture(office, 'join-shut')
  await office.getByRole('button', { name: '开门' }).click()
  const digits = office.locator('.digits')
  await digits.waitFor()
  code = (await digits.textContent()).trim()
  assert.match(code, /^\d{4}$/)
  await office.getByRole('img', { name: '扫它进班' }).waitFor()
  await picture(office, 'join-open')
  const pdf = await office.evaluate(async (href) => {
    const answer = await fetch(href)
    return [answer.headers.get('content-type'), (await answer.text()).slice(0, 5)]
  }, await office.getByRole('link', { name: '打印卡片' }).getAttribute('href'))
  assert.deepEqual(pdf, ['application/pdf', '%PDF-'])
})

test('she presses the digits, her number and six of her own, and her seat turns green', async () => {
  const page = await phone()
  await page.goto(base)
  await page.getByRole('link', { name: '第一次来？按四个数字进班' }).tap()
  await says(page, '老师说的四个数字')
  await press(page, code === '9999' ? '9998' : '9999')
  await says(page, '没找到这个班。')
  await picture(page, 'join-wrong')
  await press(page, code.slice(0, 3))
  await picture(page, 'join-code')
  await press(page, code.slice(3))
  await page.getByRole('dialog').waitFor()
  await picture(page, 'join-found')
  await page.getByRole('button', { name: '进这个班' }).tap()
  await says(page, '你的手机号')
  await press(page, '1370000')
  await picture(page, 'join-phone')
  await press(page, '0001')
  await says(page, '给自己定六个数字')
  await picture(page, 'join-choose')
  await press(page, '123456')
  await press(page, '123456')
  await says(page, '这六个数字太好猜了。')
  await picture(page, 'join-weak')
  await press(page, '271828')
  await says(page, '再按一遍')
  await press(page, '271828')
  await says(page, '进来了')
  await picture(page, 'join-in')
  assert.equal(await page.evaluate(() => window.typed), 0, 'nothing was typed')
  await page.getByRole('button', { name: '去看看' }).tap()
  await page.waitForURL(base + '/')
  await says(page, '秀英')
  await office.locator('li.here', { hasText: '彭秀英' }).waitFor()
  await picture(office, 'join-seats')

  // Signed out, this phone still knows her: six digits, and nothing typed.
  await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }))
  await page.goto(base + '/sign-in')
  await says(page, '彭秀英，按你的六个数字')
  await press(page, '271829')
  await says(page, '这几个数字不对。')
  await picture(page, 'join-known')
  await press(page, '271828')
  await page.waitForURL(base + '/')
  assert.equal(await page.evaluate(() => window.typed), 0, 'nothing was typed')
  await page.context().close()
})

test('who is on no roster is let in by hand, and her phone goes on by itself', async () => {
  const page = await phone({ viewport: { width: 320, height: 640 } })
  await page.goto(base + '/join')
  await press(page, code)
  await page.getByRole('button', { name: '进这个班' }).tap()
  await press(page, '13700000003')
  await says(page, '跟老师说一声')
  await picture(page, 'join-wait')
  await office.getByRole('button', { name: '让她进' }).first().click()
  await office.getByLabel('她叫什么').fill('覃桂花')
  await office.getByRole('button', { name: /^地区/ }).click()
  await office.getByLabel('找地方').fill('比耳')
  await office.getByRole('button', { name: /比耳村/ }).first().click()
  await picture(office, 'join-let-in')
  await office.locator('.who').getByRole('button', { name: '让她进' }).click()
  await says(page, '给自己定六个数字')
  await picture(page, 'join-choose-320')
  await press(page, '314159')
  await press(page, '314159')
  await says(page, '进来了')
  assert.equal(await page.evaluate(() => window.typed), 0, 'nothing was typed')
  await office.locator('li.here', { hasText: '覃桂花' }).waitFor()
  await page.context().close()
})

test('a card says who she is; a lost password is given anew in her seat', async () => {
  const page = await phone()
  await page.goto(base + '/card/NOBODYHASTHISCARD')
  await says(page, '这张码认不出来')
  await picture(page, 'join-card-unknown')
  await office.locator('li.here', { hasText: '覃桂花' }).getByRole('link').click()
  await office.getByRole('button', { name: /她忘了密码/ }).click()
  await office.getByRole('button', { name: '给她重设' }).click()
  await says(office, '只在这里出现一次')
  await picture(office, 'join-reset')
  await page.context().close()
})

test('a door that was shut says so', async () => {
  await office.goto(`${base}/studio/cohorts/${cohort}/join`)
  await office.getByRole('button', { name: '关门' }).click()
  await says(office, '门还关着')
  const page = await phone()
  await page.goto(base + '/join')
  await press(page, code)
  await says(page, '这个班的门刚才关上了。')
  await picture(page, 'join-closed')
  await page.context().close()
})
