import '@/shared/tokens.css'
import '@/shared/base.css'
import { createApp, h } from 'vue'
import Sprite from '@/shared/art/Sprite.vue'

createApp({ render: () => h(Sprite) }).mount('#app')
