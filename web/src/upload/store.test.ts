import { beforeEach, describe, expect, it, vi } from 'vitest'
import { keepFile, keptFile, sweep } from './store'
import { draft } from './testing'

/** The phone's own file system, as far as it matters: what is not closed is not there. */
const files = new Map<string, Blob>()
let room = Infinity
let held: { name: string }[] = []
const handle = (name: string) => ({
  getFile: async () => files.get(name) ?? new Blob([]),
  createWritable: async () => {
    const parts: Blob[] = []
    return {
      write: async (part: Blob) => {
        if ((room -= part.size) < 0) throw new DOMException('full', 'QuotaExceededError')
        parts.push(part)
      },
      close: async () => void files.set(name, new Blob(parts)),
      abort: async () => undefined,
    }
  },
})
const folder = {
  getDirectoryHandle: async () => folder,
  getFileHandle: async (name: string) => handle(name),
  keys: async function* () {
    yield* [...files.keys()]
  },
  removeEntry: async (name: string) => void files.delete(name),
}
beforeEach(() => {
  files.clear()
  room = Infinity
  held = []
  vi.stubGlobal('navigator', { locks: { query: async () => ({ held }) }, storage: { getDirectory: async () => folder, persist: async () => true } })
  vi.stubGlobal('indexedDB', { open: () => { throw new Error('none') } })
})

const film = new Blob([new Uint8Array(20 << 20)])

describe('the copy of a film', () => {
  it('is made piece by piece, saying how far it is', async () => {
    const said: number[] = []
    expect(await keepFile('d1', film, (bytes) => said.push(bytes))).toBe('opfs')
    expect(said).toEqual([8 << 20, 16 << 20, 20 << 20])
    expect(files.get('d1')?.size).toBe(film.size)
  })
  it('is found although the page died before it could say so', async () => {
    await keepFile('d1', film, () => undefined)
    const copy = await keptFile(draft({ stored: 'copying', size: film.size }))
    expect([copy?.stored, copy?.file.size]).toEqual(['opfs', film.size])
  })
  it('is none when it is cut off', async () => {
    files.set('d1', film.slice(0, 5))
    expect(await keptFile(draft({ stored: 'copying', size: film.size }))).toBe(null)
    expect(await keptFile(draft({ stored: 'opfs', size: film.size }))).toBe(null)
  })
  it('is given up where there is no room', async () => {
    room = 10 << 20
    expect(await keepFile('d1', film, () => undefined)).toBe('page')
    expect(files.size).toBe(0)
  })
  it('leaves no half behind when the browser is killed, but nothing that is still being written or wanted', async () => {
    for (const name of ['d1', 'd1.crswap', 'd2.crswap', 'd3']) files.set(name, film)
    held = [{ name: 'weijia.file.d2' }]
    await sweep(async (id) => ['d1', 'd2'].includes(id))
    expect([...files.keys()]).toEqual(['d1', 'd2.crswap'])
  })
})
