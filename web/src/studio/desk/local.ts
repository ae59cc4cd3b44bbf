// The copy of a review that lives in this browser until the server has it: written with every keystroke,
// so that a closed lid, a lost signal or a wrong click costs nothing.
import type { Work } from './draft'

export interface LocalCopy {
  rev: number
  /** What the server had when this copy began to differ. */
  base: Work
  work: Work
  at: number
}
/** The sentence in the composer that has not become an item yet. */
export interface LocalWords {
  kind: 'praise' | 'fix' | 'question' | 'must'
  body: string
  start: number | null
  end: number | null
  dim: string | null
}

const draftKey = (ticket: string) => `weijia.review.${ticket}`
const wordsKey = (ticket: string) => `weijia.words.${ticket}`

function read<T>(key: string): T | null {
  try {
    const text = localStorage.getItem(key)
    return text ? (JSON.parse(text) as T) : null
  } catch {
    return null
  }
}

function write(key: string, value: unknown) {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, JSON.stringify(value))
  } catch {
    // A full or forbidden store: the server's copy still comes every second.
  }
}

export const readCopy = (ticket: string) => read<LocalCopy>(draftKey(ticket))
export const writeCopy = (ticket: string, copy: LocalCopy | null) => write(draftKey(ticket), copy)
export const readWords = (ticket: string) => read<LocalWords>(wordsKey(ticket))
export const writeWords = (ticket: string, words: LocalWords | null) => write(wordsKey(ticket), words)
