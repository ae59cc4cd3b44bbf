import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/me', component: () => import('./MePage.vue'), meta: { tab: 'me', title: '我' } },
] satisfies RouteRecordRaw[]
