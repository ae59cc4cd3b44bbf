// A phone for the tests: Chromium of a phone's size, a person's sign-in, and what she sees of her upload.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const { WEIJIA_CHROMIUM: executablePath, WEIJIA_SHOTS: shots } = process.env
/** Two cores may be busy with other tests: everything is waited for, nothing is slept for. */
export const PATIENCE = 60_000
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required']
const SCREEN = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }

export const launch = () => chromium.launch({ executablePath, args: FLAGS, timeout: PATIENCE })

/** A page of a person of her own: nobody's cookies but hers. */
export async function open(browser, device = {}) {
  const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai', ...SCREEN, ...device })
  return prepared(await context.newPage())
}
export function prepared(page) {
  page.setDefaultTimeout(PATIENCE)
  page.on('pageerror', (error) => console.error('page error:', error))
  return page
}

export async function signIn(page, base, person) {
  await page.goto(base + '/sign-in')
  await fillIn(page, person)
}
export async function fillIn(page, person) {
  await page.getByLabel('手机号').fill(person.phone)
  await page.getByLabel('密码', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'))
}

/** From an empty upload page to the page of a clip on its way. Answers with the name of its draft. */
export async function send(page, base, file, title) {
  await choose(page, base, file, title)
  await page.getByRole('button', { name: /^(开始传|还是传这条)$/ }).click()
  await page.waitForURL(/\/upload\/./)
  return page.url().split('/').pop()
}
export async function choose(page, base, file, title) {
  await page.goto(base + '/upload')
  await page.getByText('用手机里的片子').waitFor()
  await pick(page, '用手机里的片子', file)
  await page.getByLabel('叫什么名字').fill(title)
}

/** By the file's own path, as the phone's picker does it: nothing is copied through the test. */
export async function pick(page, label, file) {
  await page.locator('label', { hasText: label }).first().waitFor()
  const session = await page.context().newCDPSession(page)
  const expression = `[...document.querySelectorAll('label')].find((l) => l.textContent.includes('${label}')).querySelector('input')`
  const { result } = await session.send('Runtime.evaluate', { expression })
  await session.send('DOM.setFileInputFiles', { files: [file], objectId: result.objectId })
  await session.detach()
}

/** Waits until the page of a clip on its way says this. */
export const says = (page, text, timeout = PATIENCE) => page.getByText(text).first().waitFor({ timeout })
export const arrived = (page) => page.getByRole('heading', { name: /传完了，一点没丢|到了，能看了/ }).waitFor({ timeout: 2 * PATIENCE })

/** What the phone has written down about its clips. */
export const drafts = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('weijia', 1)
        request.onerror = () => reject(request.error)
        request.onsuccess = () => {
          const all = request.result.transaction('drafts').objectStore('drafts').getAll()
          all.onsuccess = () => (request.result.close(), resolve(all.result))
          all.onerror = () => reject(all.error)
        }
      }),
  )
/** How large the copy of a film in the phone's safe place is; null where there is none. */
export const copyOf = (page, id) =>
  page.evaluate(async (id) => {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle('uploads').catch(() => null)
    const handle = await folder?.getFileHandle(id).catch(() => null)
    return handle ? (await handle.getFile()).size : null
  }, id)

/** As the phone does it to a page that takes too much memory: no page hears of it, and nothing is finished. */
export async function crash(page) {
  const session = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  void session.send('Page.crash').catch(() => undefined)
  await crashed
  await page.close()
}
export async function until(what, ask, timeout = PATIENCE) {
  const began = Date.now()
  for (;;) {
    const seen = await ask()
    if (seen) return seen
    assert.ok(Date.now() - began < timeout, `waited ${timeout} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The signal of one page: `line(page, { offline: true })`, `line(page, { uploadThroughput: 100_000 })`. */
export async function line(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  return (change) =>
    session.send('Network.emulateNetworkConditions', {
      offline: false, latency: 5, downloadThroughput: -1, uploadThroughput: -1, ...change,
    })
}

export async function picture(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` })
}

/** A browser with a folder of its own, which can be killed as the phone does it, and started again over the same folder. */
export class KillableBrowser {
  #process
  #browser
  async start() {
    this.folder ??= await mkdtemp(join(tmpdir(), 'weijia-browser-'))
    const args = [...FLAGS, '--headless=new', '--remote-debugging-port=0', `--user-data-dir=${this.folder}`, '--no-first-run', '--lang=zh-CN']
    this.#process = spawn(executablePath, [...args, 'about:blank'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
    const address = await new Promise((resolve, reject) => {
      let said = ''
      const timer = setTimeout(() => reject(new Error(`no address from the browser: ${said}`)), PATIENCE)
      this.#process.stderr.on('data', (bytes) => {
        said += bytes
        const found = /DevTools listening on (\S+)/.exec(said)
        if (found) (clearTimeout(timer), resolve(found[1]))
      })
      this.#process.on('exit', () => (clearTimeout(timer), reject(new Error(`the browser ended: ${said}`))))
    })
    this.#browser = await chromium.connectOverCDP(address, { timeout: PATIENCE })
    const [context] = this.#browser.contexts()
    return prepared(await context.newPage())
  }
  /** No page hears of it. */
  async kill() {
    process.kill(-this.#process.pid, 'SIGKILL')
    await this.#ended()
  }
  /** As she would close it: what it holds in memory (cookies) is written down. */
  async close() {
    const session = await this.#browser.newBrowserCDPSession()
    await session.send('Browser.close').catch(() => undefined)
    await this.#ended()
  }
  async #ended() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await new Promise((resolve) => this.#process.on('exit', resolve))
    }
    await this.#browser.close().catch(() => undefined)
  }
  async remove() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10 })
  }
}
