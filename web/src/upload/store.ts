// Where drafts and their files are kept on the phone: drafts in IndexedDB, the file in the origin's
// own file system where there is one, otherwise as a Blob in IndexedDB. Both outlive a killed page.
import type { Draft, Stored } from './state'

const DRAFTS = 'drafts'
const FILES = 'files'
let opened: Promise<IDBDatabase> | null = null

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('weijia', 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(DRAFTS, { keyPath: 'id' })
      request.result.createObjectStore(FILES)
    }
    request.onsuccess = () => {
      request.result.onclose = () => (opened = null)
      resolve(request.result)
    }
    request.onerror = () => reject(request.error)
  })
  opened.catch(() => (opened = null))
  return opened
}

async function run<T>(store: string, mode: IDBTransactionMode, act: (s: IDBObjectStore) => IDBRequest<T>, durability: IDBTransactionDurability = 'strict'): Promise<T> {
  const db = await open()
  return new Promise((resolve, reject) => {
    const tx = db.transaction(store, mode, { durability })
    const request = act(tx.objectStore(store))
    tx.oncomplete = () => resolve(request.result)
    tx.onabort = tx.onerror = () => reject(tx.error ?? request.error)
  })
}

export const allDrafts = () => run<Draft[]>(DRAFTS, 'readonly', (s) => s.getAll())
const isWrittenDown = async (id: string) => !!(await run<Draft | undefined>(DRAFTS, 'readonly', (s) => s.get(id)))
export const saveDraft = (draft: Draft) => run(DRAFTS, 'readwrite', (s) => s.put({ ...draft }))
/** How far it has come is only told to her: the server knows better after a crash. */
export const saveProgress = (draft: Draft) => run(DRAFTS, 'readwrite', (s) => s.put({ ...draft }), 'relaxed')

async function folder(create: boolean): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory()
  return root.getDirectoryHandle('uploads', { create })
}

const PIECE = 8 << 20

/** Copies the file to the phone's safe place. 'page': there was no room, it lives with the page. */
export async function keepFile(id: string, file: Blob, copied: (bytes: number) => void): Promise<Stored> {
  // Asked once it matters; without it the phone may clear the copy when it runs full. Some browsers ask her: no waiting.
  void navigator.storage?.persist?.().catch(() => false)
  try {
    const handle = await (await folder(true)).getFileHandle(id, { create: true })
    const writable = await handle.createWritable()
    try {
      for (let at = 0; at < file.size; at += PIECE) {
        await writable.write(file.slice(at, at + PIECE))
        copied(Math.min(at + PIECE, file.size))
      }
    } catch (error) {
      await writable.abort().catch(() => undefined)
      throw error
    }
    await writable.close()
    return 'opfs'
  } catch {
    await dropFromFolder(id)
  }
  try {
    await run(FILES, 'readwrite', (s) => s.put(file, id))
    return 'idb'
  } catch {
    return 'page'
  }
}

export interface Copy {
  file: Blob
  stored: Stored
}

/** The copy, if there is a whole one. */
export async function keptFile(draft: Draft): Promise<Copy | null> {
  // The page may have died between the last byte of the copy and the word that it is there.
  const places: Stored[] = draft.stored === 'copying' ? ['opfs', 'idb'] : [draft.stored]
  for (const stored of places) {
    const file = await copyIn(stored, draft.id).catch(() => null)
    if (file?.size === draft.size) return { file, stored }
  }
  return null
}

async function copyIn(stored: Stored, id: string): Promise<Blob | null> {
  if (stored === 'opfs') return (await (await folder(false)).getFileHandle(id)).getFile()
  if (stored === 'idb') return (await run<Blob | undefined>(FILES, 'readonly', (s) => s.get(id))) ?? null
  return null
}

/** The copy is no longer needed: the server has it all. */
export async function dropFile(id: string): Promise<void> {
  await dropFromFolder(id)
  await run(FILES, 'readwrite', (s) => s.delete(id)).catch(() => undefined)
}
export async function dropDraft(id: string): Promise<void> {
  await dropFile(id)
  await run(DRAFTS, 'readwrite', (s) => s.delete(id)).catch(() => undefined)
}
/**
 * A browser that is killed leaves half a copy beside where the whole one was to be (Chromium: `<id>.crswap`), and that
 * would fill her phone for good. Goes: what is half and nobody is writing, and what belongs to no draft.
 */
export async function sweep(isKnown = isWrittenDown): Promise<void> {
  const dir = (await folder(false)) as FileSystemDirectoryHandle & { keys(): AsyncIterable<string> }
  for await (const name of dir.keys()) {
    const [id, half] = name.split('.')
    // Asked one by one: a draft is written down before its copy begins.
    if (!half && (await isKnown(id))) continue
    if (!(await heldSomewhere(id))) await dir.removeEntry(name).catch(() => undefined)
  }
}

async function dropFromFolder(id: string) {
  await folder(false)
    .then((dir) => dir.removeEntry(id))
    .catch(() => undefined)
}

// While a page holds a file of which there is no copy yet, a lock of the file's name says so to the others.
const nameOf = (id: string) => `weijia.file.${id}`

export function holdFile(id: string): () => void {
  let letGo = () => undefined as void
  const held = new Promise<void>((resolve) => (letGo = resolve))
  void navigator.locks?.request(nameOf(id), () => held).catch(() => undefined)
  return letGo
}
export async function heldSomewhere(id: string): Promise<boolean> {
  const locks = await navigator.locks?.query().catch(() => null)
  return locks?.held?.some((lock) => lock.name === nameOf(id)) ?? false
}
