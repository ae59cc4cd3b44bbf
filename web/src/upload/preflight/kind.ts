// What a file is, by its first bytes: said at once of what is surely no film. Whatever is not known is the server's to judge.
export type Kind = 'empty' | 'photo' | 'document' | 'text' | 'unknown'

const HEAD = 16

/** Rejects when the phone cannot read it. */
export async function kindOf(file: Blob): Promise<Kind> {
  return file.size === 0 ? 'empty' : kindIn(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()))
}

/** As major brands these are pictures (ISO 23008-12, AVIF); sequences of pictures are not among them. */
const PICTURES: readonly string[] = ['heic', 'heix', 'heim', 'heis', 'mif1', 'avif']

export function kindIn(bytes: Uint8Array): Kind {
  const head = bytes.slice(0, HEAD)
  const at = (from: number, to: number) => String.fromCharCode(...head.slice(from, to))
  const begins = (word: string) => at(0, word.length) === word
  if (begins('\xff\xd8\xff') || begins('\x89PNG') || begins('GIF8')) return 'photo'
  if (begins('RIFF')) return at(8, 12) === 'WEBP' ? 'photo' : 'unknown'
  if (at(4, 8) === 'ftyp') return PICTURES.includes(at(8, 12)) ? 'photo' : 'unknown'
  if (begins('%PDF') || begins('PK\x03\x04')) return 'document'
  // No film begins without a byte that no text has.
  return head.length > 0 && head.every((byte) => (byte >= 0x20 && byte !== 0x7f) || [9, 10, 13].includes(byte)) ? 'text' : 'unknown'
}

/** Not even offered to be sent. Text is: the server decides. */
export const isNoFilm = (kind: Kind) => kind === 'empty' || kind === 'photo' || kind === 'document'

/** What it is, and what to do; null: nothing is known. */
export function kindWords(kind: Kind): string | null {
  switch (kind) {
    case 'empty':
      return '这个文件是空的，选另一条。'
    case 'photo':
      return '这是一张照片，不是片子。在相册里选一段视频。'
    case 'document':
      return '这不是视频，是一份文件。在相册里选一段视频。'
    case 'text':
      return '这不像视频，像是一份文字。最好换一条；要是没选错，照样能传。'
    case 'unknown':
      return null
  }
}
