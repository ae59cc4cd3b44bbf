import { createRouter, createWebHistory } from 'vue-router'
import { say } from '@/shared/toast'
import { me, whoIsHere } from './session'
import clips from '@/clips/routes'
import course from '@/course/routes'
import home from '@/home/routes'
import join from '@/join/routes'
import myself from '@/me/routes'
import signin from '@/signin/routes'
import star from '@/star/routes'
import upload from '@/upload/routes'
import verify from '@/verify/routes'

declare module 'vue-router' {
  interface RouteMeta {
    /** Open to people who are not signed in. */
    open?: boolean
    /** Which of the three tabs this page belongs to. */
    tab?: 'home' | 'clips' | 'me'
    title?: string
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    ...home, ...upload, ...clips, ...course, ...star, ...myself, ...signin, ...join, ...verify,
    { path: '/:rest(.*)*', component: () => import('./NotFound.vue'), meta: { open: true } },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.beforeEach(async (to) => {
  if (to.meta.open) return
  await whoIsHere()
  if (!me.value) return { path: '/sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
})
router.afterEach((to) => {
  document.title = to.meta.title ? `${to.meta.title} · 微家` : '微家'
})
// A page's code did not arrive. After a new build its name has changed, which one reload mends;
// without signal the page she is on stays, and nothing is lost.
router.onError((_error, to) => {
  const reloaded = 'weijia.reloaded'
  if (navigator.onLine && sessionStorage.getItem(reloaded) !== to.fullPath) {
    sessionStorage.setItem(reloaded, to.fullPath)
    location.assign(to.fullPath)
  } else {
    say('没有信号，那一页没打开。有信号了再点一次。')
  }
})
