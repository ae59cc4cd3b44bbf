// What the machine says about how it was filmed: on her phone with its place, and only as long as staff have it said.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fillIn, launch, open, picture, says, send, signIn, until } from './phone.mjs'

const { WEIJIA_URL: base, WEIJIA_DARK: dark } = process.env
const { trainee, staff } = JSON.parse(process.env.WEIJIA_PEOPLE)
const LAPTOP = { viewport: { width: 1440, height: 900 }, deviceScaleFactor: 1, isMobile: false, hasTouch: false }

let browser
let phone
let office

before(async () => {
  browser = await launch()
  phone = await open(browser)
  await signIn(phone, base, trainee)
  office = await open(browser, LAPTOP)
  await office.goto(`${base}/studio/sign-in`)
  await fillIn(office, staff)
})
after(() => browser?.close())

/** The page of a film of hers that was sent under this title, once all is made of it. */
async function sent(title) {
  await send(phone, base, dark, title)
  const id = await until('everything made of it', () =>
    phone.evaluate(async (title) => {
      const { clips } = await (await fetch('/api/v1/clips')).json()
      return clips.find((each) => each.title === title && each.media_state === 'ready')?.id
    }, title), 180_000)
  await phone.goto(`${base}/clips/${id}`)
  await phone.locator('video').waitFor()
}
const TOO_DARK = /画面太暗，脸看不清/
const said = () =>
  phone.evaluate(async () => (await (await fetch(`/api/v1${location.pathname}`)).json()).hints.map((each) => each.code))
const hint = () => phone.getByRole('button', { name: TOO_DARK })

test('a dark film is said to be dark, and where', async () => {
  await sent('暗的一条')
  await hint().waitFor()
  await picture(phone, 'hints-1-dark')
  const at = /(\d+):(\d\d)/.exec(await hint().innerText())
  await hint().click()
  const seconds = Number(at[1]) * 60 + Number(at[2])
  await until('the film plays from there', () =>
    phone.evaluate((from) => { const v = document.querySelector('video'); return !v.paused && v.currentTime >= from - 0.1 }, seconds))
})

test('what staff have not said is not said of the next film', async () => {
  await office.goto(`${base}/studio/hints`)
  const rule = office.getByRole('group', { name: '太暗' })
  await rule.getByRole('switch').click()
  await says(office, '太暗：存好了，下一条片子起算。')
  await rule.getByText('改过').waitFor()
  await picture(office, 'hints-2-muted')
  await sent('又一条暗的')
  assert.ok(!(await said()).includes('dark'))
  assert.equal(await hint().count(), 0)
})

test('and is said again once they take that back', async () => {
  await office.getByRole('group', { name: '太暗' }).getByRole('button', { name: '跟上级一样' }).click()
  await until('it is as before', async () => (await office.getByText('改过').count()) === 0)
  await sent('还是暗的')
  await hint().waitFor()
})

test('a number of theirs holds, and one out of bounds is answered in words', async () => {
  const rule = office.getByRole('group', { name: '太暗' })
  const light = rule.getByLabel(/画面亮度低于/)
  const was = await light.inputValue()
  await light.fill('23')
  await light.press('Tab')
  await until('it is kept', async () => (await rule.getByText('改过').count()) === 1)
  await sent('没那么暗')
  assert.ok(!(await said()).includes('dark'), `it is dark below ${was}, and not below 23`)
  const seconds = rule.getByLabel(/连着/)
  const before = await seconds.inputValue()
  await seconds.fill('900')
  await seconds.press('Tab')
  await until('it shows what it was', async () => (await seconds.inputValue()) === before)
  await picture(office, 'hints-3-out-of-bounds')
})
