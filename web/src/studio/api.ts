// The API's verbs that the studio speaks. Every one answers with the body, or throws a Failure.
import { api, asFailure, data, Failure } from '@/api/client'
import { say } from '@/shared/toast'
import type { Amend, CoachingCondition, Draft, NewMember, OpenCohort, Platform } from './types'

export { asFailure, Failure }

const v = '/api/v1'

export const whoAmI = () => data(api.GET(`${v}/session`))
export const signIn = (body: { phone: string; password: string }) => data(api.POST(`${v}/session`, { body }))
export const signOut = () => data(api.DELETE(`${v}/session`))
export const listRegions = (query: { parent?: string; q?: string }) => data(api.GET(`${v}/regions`, { params: { query } }))

export type QueueView = 'waiting' | 'mine' | 'sent'
const ticket = (id: string) => ({ params: { path: { ticket: id } } })
export const listReviewTickets = (view: QueueView) =>
  data(api.GET(`${v}/review/tickets`, { params: { query: { view } } }))
export const claimReviewTicket = (id: string) => data(api.POST(`${v}/review/tickets/{ticket}/claim`, ticket(id)))
export const releaseReviewTicket = (id: string) => data(api.POST(`${v}/review/tickets/{ticket}/release`, ticket(id)))
export const amendReview = (id: string, body: Amend) =>
  data(api.POST(`${v}/reviews/{review}/amend`, { params: { path: { review: id } }, body }))
export const replyFeedback = (item: string, body: string) =>
  data(api.POST(`${v}/feedback/{item}/replies`, { params: { path: { item } }, body: { body } }))
export const recuseReview = (id: string, reason: string) =>
  data(api.POST(`${v}/review/tickets/{ticket}/recuse`, { ...ticket(id), body: { reason } }))
export const getReviewDesk = (id: string) => data(api.GET(`${v}/review/tickets/{ticket}`, ticket(id)))
/** `keepalive` lets a save outlive the page that is being left. */
export const saveReviewDraft = (id: string, body: Omit<Draft, 'review_id'>, keepalive = false) =>
  data(api.PUT(`${v}/review/tickets/{ticket}/draft`, { ...ticket(id), body, keepalive }))
export const sendReview = (id: string, body: { rev: number; outcome: 'pass' | 'return' }) =>
  data(api.POST(`${v}/review/tickets/{ticket}/send`, { ...ticket(id), body }))

const cohort = (id: string) => ({ params: { path: { cohort: id } } })
export const listCohorts = () => data(api.GET(`${v}/cohorts`))
export const openCohort = (body: OpenCohort) => data(api.POST(`${v}/cohorts`, { body }))
export const addMembers = (id: string, members: NewMember[]) =>
  data(api.POST(`${v}/cohorts/{cohort}/members`, { ...cohort(id), body: { members } }))
/** A table as offices keep it. `region`: where those live of whom it does not say so. */
export const importRoster = (id: string, part: 'trainee' | 'mentor', region: string | undefined, file: File) =>
  data(api.POST(`${v}/cohorts/{cohort}/roster`, {
    params: { path: { cohort: id }, query: { part, ...(region ? { region } : {}) } },
    body: file as unknown as string,
    bodySerializer: () => file,
    headers: { 'Content-Type': 'application/octet-stream' },
  }))
export const getJoinWindow = (id: string) => data(api.GET(`${v}/cohorts/{cohort}/join-window`, cohort(id)))
export const openJoinWindow = (id: string, body: { code?: string; minutes?: number }) =>
  data(api.POST(`${v}/cohorts/{cohort}/join-window`, { ...cohort(id), body }))
export const closeJoinWindow = (id: string) => data(api.DELETE(`${v}/cohorts/{cohort}/join-window`, cohort(id)))
export const exportCohort = (id: string) => `${v}/cohorts/${id}/export.xlsx`
export const joinCards = (id: string) => `${v}/cohorts/${id}/join-cards.pdf`
const request = (id: string) => ({ params: { path: { request: id } } })
export const approveJoin = (id: string, body: { name: string; region_code: string; group_no?: number }) =>
  data(api.POST(`${v}/join-requests/{request}/approve`, { ...request(id), body }))
export const rejectJoin = (id: string, body: { reason: string }) =>
  data(api.POST(`${v}/join-requests/{request}/reject`, { ...request(id), body }))
export const resetMemberPassword = (id: string, user: string) =>
  data(api.POST(`${v}/cohorts/{cohort}/members/{user}/password`, { params: { path: { cohort: id, user } } }))
export const getCohortProgress = (id: string) => data(api.GET(`${v}/cohorts/{cohort}/progress`, cohort(id)))
export type Which = 'waiting' | 'overdue' | 'returned' | 'passed'
export const listCohortClips = (id: string, which: Which) =>
  data(api.GET(`${v}/cohorts/{cohort}/clips`, { params: { path: { cohort: id }, query: { which } } }))

export const listCoachingRules = (region: string) => data(api.GET(`${v}/coaching/rules`, { params: { query: { region } } }))
export const changeCoachingRule = (region: string, rule: string, body: { muted: boolean; seconds: number; when: CoachingCondition[] }) =>
  data(api.PUT(`${v}/coaching/rules/{rule}`, { params: { path: { rule }, query: { region } }, body }))
export const resetCoachingRule = (region: string, rule: string) =>
  data(api.DELETE(`${v}/coaching/rules/{rule}`, { params: { path: { rule }, query: { region } } }))

const trainee = (id: string) => ({ params: { path: { user: id } } })
export const getGrowth = (id: string) => data(api.GET(`${v}/trainees/{user}/growth`, trainee(id)))
export const addAccount = (id: string, body: { platform: Platform; handle: string; opened_on: string }) =>
  data(api.POST(`${v}/trainees/{user}/accounts`, { ...trainee(id), body }))
export const recordSnapshot = (account: string, form: FormData) =>
  data(api.POST(`${v}/accounts/{account}/snapshots`, {
    params: { path: { account } },
    // the generated type describes the fields; the browser writes the form and its boundary
    body: form as never,
    bodySerializer: body => body as unknown as FormData,
  }))
export const evaluateStars = (id: string) => data(api.POST(`${v}/trainees/{user}/star-evaluation`, trainee(id)))
export const awardStar = (id: string, body: { evaluation_id: string; level: number }) =>
  data(api.POST(`${v}/trainees/{user}/stars`, { ...trainee(id), body }))
export const listStarCandidates = (cohortId?: string) =>
  data(api.GET(`${v}/stars/candidates`, { params: { query: cohortId ? { cohort: cohortId } : {} } }))
export const verifyCertificate = (number: string) =>
  data(api.GET(`${v}/certificates/{number}`, { params: { path: { number } } }))

/** What happened, whether anything is lost, what next: in the bar over the page. */
export function sayFailure(error: unknown) {
  say(wordsOf(asFailure(error)))
}

/** Message and next step as two sentences, whether or not their writers closed them. */
export function wordsOf(failure: Failure): string {
  return [failure.message, failure.next_step].filter(Boolean).map(text => (/[。？！”]$/.test(text) ? text : `${text}。`)).join('')
}
