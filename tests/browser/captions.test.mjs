// Words under the picture on her phone: those of the film are shown at their time, stay off once she turns them off, and a
// file of hers takes its place beside them; what cannot be read is said by its line.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, open, picture, says, send, signIn, until } from './phone.mjs'

const { WEIJIA_URL: base, WEIJIA_CLIP: film, WEIJIA_SRT: srt, WEIJIA_BAD_SRT: bad } = process.env
const { trainee } = JSON.parse(process.env.WEIJIA_PEOPLE)

let browser
let phone
let clip

before(async () => {
  browser = await launch()
  phone = await open(browser)
  await signIn(phone, base, trainee)
})
after(() => browser?.close())

/** What is under the picture now; null where no track is shown. */
const shown = (page) =>
  page.evaluate(() => {
    const track = [...document.querySelector('video').textTracks].find((each) => each.mode === 'showing')
    return track ? [...(track.activeCues ?? [])].map((cue) => cue.getCueAsHTML().textContent).join('\n') : null
  })
async function goTo(page, second) {
  await page.waitForFunction(() => document.querySelector('video')?.readyState >= 2)
  await page.evaluate((t) => { const v = document.querySelector('video'); v.pause(); v.currentTime = t }, second)
  await page.waitForFunction(() => !document.querySelector('video').seeking)
}
const reads = (page, second, words) =>
  until(`“${words}” at second ${second}`, async () => {
    await goTo(page, second)
    return (await shown(page)) === words
  })

test('the words of the film are under its picture at their time', async () => {
  await send(phone, base, film, '带字幕的')
  await says(phone, /传完了，一点没丢|到了，能看了/, 120_000)
  const ready = await until('everything made of it', () =>
    phone.evaluate(async () => {
      const { clips } = await (await fetch('/api/v1/clips')).json()
      const found = clips.find((each) => each.title === '带字幕的' && each.media_state === 'ready')
      return found?.id
    }), 180_000)
  clip = ready
  await phone.goto(`${base}/clips/${clip}`)
  await phone.getByRole('button', { name: '字幕', exact: true }).waitFor()
  await reads(phone, 1.5, '第一句')
  await picture(phone, 'captions-1-of-the-film')
  await reads(phone, 2.5, '第二句')
  await goTo(phone, 3.5)
  assert.equal(await shown(phone), '')
})

test('there is a wave under the picture, and it fills as the film plays', async () => {
  const wave = phone.locator('.wave .played')
  await wave.waitFor()
  const hidden = async () => Number(/inset\(\S+ ([\d.]+)%/.exec(await wave.evaluate((path) => path.style.clipPath))[1])
  await goTo(phone, 0)
  await until('nothing is played', async () => (await hidden()) === 100)
  await goTo(phone, 2)
  await until('half is played', async () => Math.abs((await hidden()) - 50) < 5)
})

test('who turns them off does not see them again until she turns them on', async () => {
  const button = phone.getByRole('button', { name: '字幕', exact: true })
  await button.click()
  await goTo(phone, 1.5)
  assert.equal(await shown(phone), null)
  await phone.reload()
  await button.waitFor()
  await goTo(phone, 1.5)
  assert.equal(await shown(phone), null, 'it is remembered')
  await button.click()
  await reads(phone, 1.5, '第一句')
})

test('she adds a file of her own, and takes it away again', async () => {
  const add = async (file) => {
    await phone.locator('label', { hasText: '字幕文件' }).locator('input').setInputFiles(file)
    await picture(phone, 'captions-2-which-language')
    await phone.getByRole('dialog').getByRole('button', { name: '中文' }).click()
  }
  await add(bad)
  await says(phone, '第 2 行的时间读不懂。')
  await phone.getByText('第 2 行的时间读不懂。').scrollIntoViewIfNeeded()
  await picture(phone, 'captions-3-cannot-be-read')
  await add(srt)
  await phone.getByText('后来加的').waitFor()
  await reads(phone, 0.8, '我是谁')
  await picture(phone, 'captions-4-hers')
  await phone.getByText('后来加的').scrollIntoViewIfNeeded()
  await picture(phone, 'captions-4-list')
  // Two to choose from now.
  await phone.getByRole('button', { name: '字幕', exact: true }).click()
  await picture(phone, 'captions-5-which')
  await phone.getByRole('dialog').getByRole('button', { name: '片子里带的' }).click()
  await reads(phone, 1.5, '第一句')
  await phone.getByRole('button', { name: /^拿掉/ }).click()
  await phone.getByText('后来加的').waitFor({ state: 'detached' })
  await reads(phone, 2.5, '第二句')
})

test('everything stands in its place at twice the size', async () => {
  const large = await open(browser, { viewport: { width: 195, height: 422 }, deviceScaleFactor: 4 })
  await signIn(large, base, trainee)
  await large.goto(`${base}/clips/${clip}`)
  await large.getByRole('button', { name: '字幕', exact: true }).waitFor()
  await picture(large, 'captions-6-zoomed-in')
  await large.locator('section[aria-label="字幕"]').scrollIntoViewIfNeeded()
  await picture(large, 'captions-7-zoomed-in')
  const wide = await large.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `nothing sticks out: ${wide} px`)
})
