// Leaves a .br and a .gz beside every built text file, so the server never compresses at run time,
// and prints what a phone downloads: the first upload page and each later chunk.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname
const LIMIT_FIRST = 50 * 1024
const LIMIT_CHUNK = 30 * 1024

const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && /\.(html|js|css|svg|json|webmanifest)$/.test(entry.name))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))

const small = new Map()
for (const file of files) {
  const bytes = readFileSync(file)
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  writeFileSync(file + '.br', br)
  writeFileSync(file + '.gz', gzipSync(bytes, { level: 9 }))
  small.set(relative(dist, file), br.length)
}

const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))
const kb = (n) => (n / 1024).toFixed(1) + ' KB'

/** Every file that a page needs: its chunk, what that imports, and their styles. */
function needs(key, seen = new Set()) {
  const chunk = manifest[key]
  if (!chunk || seen.has(chunk.file)) return seen
  seen.add(chunk.file)
  for (const css of chunk.css ?? []) seen.add(css)
  for (const dep of chunk.imports ?? []) needs(dep, seen)
  return seen
}
const total = (set) => [...set].reduce((sum, file) => sum + (small.get(file) ?? statSync(join(dist, file)).size), 0)

const shell = needs('index.html', new Set(['index.html']))
const shown = (title, set) => console.log(title.padEnd(40), kb(total(set)).padStart(9))
shown('trainee shell', shell)
const upload = needs('src/upload/UploadPage.vue', new Set(shell))
shown('first upload page, all that it needs', upload)
const sending = [...needs('src/upload/sender.ts', needs('src/upload/ReadyToSend.vue'))].filter((file) => !upload.has(file))
shown('  sending, fetched while she looks', new Set(sending))
const wrong = total(upload) > LIMIT_FIRST ? ['the first upload page is over 50 KB'] : []
for (const [key, chunk] of Object.entries(manifest)) {
  if (!chunk.isDynamicEntry || key.startsWith('src/studio/') || key.includes('node_modules')) continue
  const own = new Set([...needs(key)].filter((file) => !shell.has(file)))
  shown('  ' + key.replace(/^src\//, ''), own)
  if (total(own) > LIMIT_CHUNK) wrong.push(key + ' is over 30 KB')
}
rmSync(join(dist, '.vite'), { recursive: true })
for (const line of wrong) console.error('too big: ' + line)
if (wrong.length) process.exit(1)
