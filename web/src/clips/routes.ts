import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/clips', component: () => import('./ClipsPage.vue'), meta: { tab: 'clips', title: '作品' } },
  { path: '/clips/:id', component: () => import('./ClipPage.vue'), props: true, meta: { title: '作品' } },
  { path: '/clips/:id/compare', component: () => import('./ComparePage.vue'), props: true, meta: { title: '前后对着看' } },
] satisfies RouteRecordRaw[]
