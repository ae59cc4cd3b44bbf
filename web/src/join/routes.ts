import type { RouteRecordRaw } from 'vue-router'

const page = () => import('./JoinPage.vue')

export default [
  { path: '/join', component: page, meta: { open: true, title: '进班' } },
  { path: '/join/:wall', component: page, props: true, meta: { open: true, title: '进班' } },
  { path: '/card/:card', component: page, props: true, meta: { open: true, title: '进班' } },
] satisfies RouteRecordRaw[]
