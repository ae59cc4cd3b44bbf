import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/course', component: () => import('./CoursePage.vue'), meta: { title: '上课' } },
] satisfies RouteRecordRaw[]
