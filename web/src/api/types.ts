import type { components } from './schema'

type Schemas = components['schemas']
type Named<K extends string> = K extends keyof Schemas ? Schemas[K] : never

export type Me = Named<'Me'>
export type JoinCandidate = Named<'JoinCandidate'>
export type JoinStep = Named<'JoinStep'>
export type FindJoin = Named<'FindJoin'>
export type KnownPerson = Named<'KnownPerson'>
export type Kind = Named<'Kind'>
export type ClipState = Named<'ClipState'>
export type MediaState = Named<'MediaState'>
export type Clip = Named<'Clip'>
export type ClipHint = Named<'ClipHint'>
export type ClipSummary = Named<'ClipSummary'>
export type Caption = Named<'Caption'>
export type Media = Named<'Media'>
export type Version = Named<'Version'>
export type Refusal = Named<'Refusal'>
export type Course = Named<'Course'>
export type CourseAssignment = Course['assignments'][number]
export type SentReview = Named<'SentReview'>
export type FeedbackItem = Named<'FeedbackItem'>
export type VersionComparison = Named<'VersionComparison'>
export type ComparedPoint = Named<'ComparedPoint'>
export type Mark = Named<'Mark'>
export type MyStar = Named<'MyStar'>
export type Criterion = Named<'Criterion'>
export type Certificate = Named<'Certificate'>
