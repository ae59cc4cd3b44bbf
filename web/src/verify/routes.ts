import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/verify/:number?', component: () => import('./VerifyPage.vue'), props: true, meta: { open: true, title: '证书查验' } },
] satisfies RouteRecordRaw[]
