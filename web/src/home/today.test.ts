import { expect, it } from 'vitest'
import { todayOf } from './today'

const modules = [{ code: 'M0', title: '手机入门', required: true, lessons: [{ code: 'M0-1', title: '竖着拍', minutes: 6, completed_at: null }] }]
const assignments = [
  { code: 'A1', title: '自我介绍', kind: '短视频 20–40 秒', module: 'M0', clip: true, state: 'none' as const, clip_id: null },
  { code: 'A2', title: '选题本', kind: '文字或语音', module: 'M1', clip: false, state: 'none' as const, clip_id: null },
]
const after = (next: { kind: 'lesson' | 'assignment' | 'feedback' | 'done'; code: string; title: string; clip_id: string | null }) =>
  todayOf({ next, modules, assignments })

it('is the lesson that comes next', () => {
  expect(after({ kind: 'lesson', code: 'M0-1', title: '竖着拍', clip_id: null })).toMatchObject({
    title: '竖着拍', tip: '一课 6 分钟，跟着练一遍。', to: '/course?lesson=M0-1', act: 'go',
  })
})
it('is the clip to film', () => {
  expect(after({ kind: 'assignment', code: 'A1', title: '自我介绍', clip_id: null })).toMatchObject({
    act: 'record', tip: '竖着拍，20–40 秒就够。', to: '/upload?assignment=A1',
  })
})
it('sends nobody to the camera for what is written', () => {
  expect(after({ kind: 'assignment', code: 'A2', title: '选题本', clip_id: null }).act).toBe('go')
})
it('is the answer that came', () => {
  expect(after({ kind: 'feedback', code: 'A1', title: '打鼓队', clip_id: 'clp_1' }).to).toBe('/clips/clp_1')
})
it('is to film again once all of the answer is heard', () => {
  const next = { kind: 'feedback' as const, code: 'A1', title: '打鼓队', clip_id: 'clp_1' }
  expect(todayOf({ next, modules, assignments }, 0)).toMatchObject({ word: '去改一版', to: '/clips/clp_1' })
})
it('is never empty', () => {
  expect(after({ kind: 'done', code: '', title: '', clip_id: null }).title).toBe('功课都做完了')
  expect(todayOf(null).act).toBe('record')
})
