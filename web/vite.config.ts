import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the pages and passes everything else to a running `weijia serve`.
const backend = process.env.WEIJIA_BACKEND ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), studioPages()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: 'false' },
  build: {
    target: 'chrome86',
    // A strict content security policy allows no data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    rollupOptions: { input: { index: 'index.html', studio: 'studio.html' } },
  },
  server: { proxy: { '/api': backend, '/media': backend } },
  test: { include: ['src/**/*.test.ts'] },
})

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
