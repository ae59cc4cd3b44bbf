import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { onSignedOut } from '@/api/client'
import { belongs, ended, forget, homePath, knowMe, manages, me, reviews } from './session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Who is offered the page; the server decides what they may see. */
    for?: 'reviews' | 'manages'
    open?: boolean
    title?: string
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/studio', redirect: () => homePath() },
  { path: '/studio/sign-in', component: () => import('./signin/SignIn.vue'), meta: { open: true, title: '登录' } },
  { path: '/studio/queue/:view(waiting|mine|sent)?', component: () => import('./queue/QueuePage.vue'), meta: { for: 'reviews', title: '待评' } },
  { path: '/studio/desk/:ticket', component: () => import('./desk/DeskPage.vue'), props: true, meta: { for: 'reviews', title: '点评台' } },
  {
    path: '/studio/cohorts', component: () => import('./cohorts/CohortsPage.vue'), meta: { title: '班级' },
    children: [{ path: 'new', component: () => import('./cohorts/OpenCohort.vue'), meta: { for: 'manages' } }],
  },
  {
    path: '/studio/cohorts/:id', component: () => import('./cohorts/CohortPage.vue'), props: true, meta: { title: '班级' },
    children: [
      { path: 'rows/:which(waiting|overdue|stuck|passed|returned|trainees)', component: () => import('./cohorts/RowsPanel.vue'), props: true },
      { path: 'trainees/:user', component: () => import('./cohorts/TraineePanel.vue'), props: true },
      { path: 'roster', component: () => import('./cohorts/RosterPanel.vue'), props: true, meta: { for: 'manages' } },
    ],
  },
  { path: '/studio/cohorts/:id/join', component: () => import('./join/JoinPage.vue'), props: true, meta: { for: 'manages', title: '面对面入班' } },
  { path: '/studio/stars', component: () => import('./stars/StarsPage.vue'), meta: { for: 'manages', title: '评星' } },
  {
    path: '/studio/stars/:user', component: () => import('./stars/StarPage.vue'), props: true, meta: { for: 'manages', title: '评星' },
    children: [{ path: 'snapshot/:account', component: () => import('./stars/SnapshotPanel.vue'), props: true }],
  },
  { path: '/studio/stars/:user/certificate/:number', component: () => import('./stars/CertificatePage.vue'), props: true, meta: { for: 'manages', title: '证书' } },
  { path: '/studio/hints', component: () => import('./hints/HintsPage.vue'), meta: { for: 'manages', title: '拍摄提示' } },
  { path: '/studio/:rest(.*)*', component: () => import('./parts/NotHere.vue'), meta: { title: '没找到' } },
]

export const router = createRouter({ history: createWebHistory(), routes })

router.beforeEach(async to => {
  if (to.meta.open) return true
  await knowMe().catch(() => undefined)
  // Whoever came by the front door goes on to her own first page, which is only known once she is in.
  const back = { path: '/studio/sign-in', query: to.redirectedFrom?.path === '/studio' ? {} : { next: to.fullPath } }
  if (!me.value || !belongs.value) return back
  if (to.meta.for === 'reviews' && !reviews.value) return '/studio/cohorts'
  if (to.meta.for === 'manages' && !manages.value) return homePath()
  return true
})

router.afterEach(to => {
  document.title = to.meta.title ? `${to.meta.title} 微家` : '微家 工作台'
})

// A session that ended while the page was open: back to the door, and from there to where she was.
onSignedOut(() => {
  const at = router.currentRoute.value
  if (at.meta.open) return
  ended.value = true
  forget()
  void router.push({ path: '/studio/sign-in', query: { next: at.fullPath } })
})
