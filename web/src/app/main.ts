import '@/shared/tokens.css'
import '@/shared/base.css'
import '@/shared/trainee.css'
import { createApp } from 'vue'
import App from './App.vue'
import { applyDisplay } from './display'
import { router } from './router'

applyDisplay()
createApp(App).use(router).mount('#app')

// Keeps the shell on the phone, so that the app opens in a tunnel too.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  window.addEventListener('load', () => void navigator.serviceWorker.register('/sw.js').catch(() => undefined))
}
