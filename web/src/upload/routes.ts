import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/upload', component: () => import('./UploadPage.vue'), meta: { title: '交作品' } },
  { path: '/upload/:draft', component: () => import('./SendingPage.vue'), props: true, meta: { title: '正在传' } },
] satisfies RouteRecordRaw[]
