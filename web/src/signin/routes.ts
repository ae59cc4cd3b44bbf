import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/sign-in', component: () => import('./SignInPage.vue'), meta: { open: true, title: '登录' } },
] satisfies RouteRecordRaw[]
