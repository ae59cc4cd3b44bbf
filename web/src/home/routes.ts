import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/', component: () => import('./HomePage.vue'), meta: { tab: 'home' } },
] satisfies RouteRecordRaw[]
