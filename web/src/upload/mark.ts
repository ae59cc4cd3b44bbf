// Tells the same file again from another one, without reading all of it: its size, and a sum over its ends.
const END = 64 * 1024

export async function markOf(file: Blob): Promise<string> {
  const ends = await Promise.all([file.slice(0, END), file.slice(-END)].map((part) => part.arrayBuffer()))
  return [file.size, ...ends.map(sum)].join('-')
}

/** FNV-1a, 32 bits: not against forgers, only against a slip of the finger. */
function sum(bytes: ArrayBuffer): string {
  let hash = 0x811c9dc5
  for (const byte of new Uint8Array(bytes)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16)
}
