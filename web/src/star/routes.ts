import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/star', component: () => import('./StarPage.vue'), meta: { title: '冲星' } },
] satisfies RouteRecordRaw[]
