import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the pages and passes everything else to a running `weijia serve`.
const backend = process.env.WEIJIA_BACKEND ?? 'http://127.0.0.1:8080'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export default defineConfig(({ mode }) => ({
  plugins: [vue(), studioPages()],
  resolve: {
    alias: [
      { find: '@', replacement: path('./src') },
      // The library's own source instead of its build for browsers of 2010, and the browser's URL
      // instead of a parser written in JavaScript: 9 KB less for a phone to fetch.
      { find: /^tus-js-client$/, replacement: path('./node_modules/tus-js-client/lib/browser/index.js') },
      { find: /^url-parse$/, replacement: path('./src/upload/url.ts') },
    ],
  },
  define: { __VUE_OPTIONS_API__: 'false' },
  build: {
    target: 'chrome86',
    // Two builds into one folder, the studio's first: what only the studio uses of a shared library would
    // otherwise travel to every phone.
    emptyOutDir: mode === 'studio',
    // A strict content security policy allows no data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    rolldownOptions: {
      input: mode === 'studio' ? 'studio.html' : 'index.html',
      // What nearly every page needs travels in one file: many little ones compress badly.
      output: {
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules\/(@vue|vue|vue-router|openapi-fetch)\// },
            { name: 'woven', test: /src\/shared\/(Cloth|Shuttle|Seal|StarMark|EmptyState)/ },
            { name: 'shared', test: /src\/(shared|api)\/(?!art\/scenes)/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': backend, '/media': backend } },
  test: { include: ['src/**/*.test.ts'] },
}))

/** In development /studio/* is the second page, as the server does it for the built files. */
function studioPages() {
  return {
    name: 'studio-pages',
    configureServer(server: { middlewares: { use(f: (req: { url?: string }, res: unknown, next: () => void) => void): void } }) {
      server.middlewares.use((req, _res, next) => {
        if (/^\/studio(\/|$|\?)/.test(req.url ?? '') && !/\.\w+$/.test(req.url ?? '')) req.url = '/studio.html'
        next()
      })
    },
  }
}
