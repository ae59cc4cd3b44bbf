// The hash by which the server knows a film: SHA-256 over the SHA-256 of every 8 MiB (services/core/src/upload/rules.rs).
// Slice by slice, so that a phone of 2 GB never holds more than one; WebCrypto does it beside the page's own thread.
const PART = 8 << 20

export async function rootOf(file: Blob): Promise<string> {
  const sums = new Uint8Array(Math.ceil(file.size / PART) * 32)
  for (let at = 0; at < file.size; at += PART) {
    const part = await file.slice(at, at + PART).arrayBuffer()
    sums.set(new Uint8Array(await crypto.subtle.digest('SHA-256', part)), (at / PART) * 32)
  }
  const root = new Uint8Array(await crypto.subtle.digest('SHA-256', sums))
  return [...root].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
