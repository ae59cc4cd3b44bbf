// The one thing for today, out of what the course says comes next. Pure.
import type { Course } from '@/api/types'

export interface Today {
  title: string
  tip: string
  act: 'record' | 'go'
  word: string
  to: string
}

export function todayOf(course: Pick<Course, 'next' | 'modules' | 'assignments'> | null, unheard = 1): Today {
  const next = course?.next
  if (!course || !next || next.kind === 'done') {
    return {
      title: next ? '功课都做完了' : '拍一条村里的事',
      tip: next ? '想拍就拍，老师一样会看。' : '三十秒就够，随便拍拍你家门口。',
      act: 'record', word: '开始拍', to: '/upload',
    }
  }
  if (next.kind === 'feedback') {
    // All heard: what is left of it is to film again. The words are on the clip's page.
    if (!unheard) return { title: '照着点评再拍一版', tip: `“${next.title}”，改好了老师再看。`, act: 'go', word: '去改一版', to: `/clips/${next.clip_id}` }
    return { title: '老师回你了', tip: `“${next.title}”，先听夸你的，再照着改。`, act: 'go', word: '听点评', to: `/clips/${next.clip_id}` }
  }
  if (next.kind === 'lesson') {
    const lesson = course.modules.flatMap((each) => each.lessons).find((each) => each.code === next.code)
    return {
      title: next.title, tip: lesson ? `一课 ${lesson.minutes} 分钟，跟着练一遍。` : '跟着练一遍就会。',
      act: 'go', word: '去上课', to: `/course?lesson=${next.code}`,
    }
  }
  const assignment = course.assignments.find((each) => each.code === next.code)
  if (assignment && !assignment.clip) {
    return { title: next.title, tip: `${assignment.kind}，当面交给老师。`, act: 'go', word: '看看要求', to: `/course?assignment=${next.code}` }
  }
  return { title: next.title, tip: kindWords(assignment?.kind), act: 'record', word: '开始拍', to: `/upload?assignment=${next.code}` }
}

/** '短视频 30–60 秒' -> '竖着拍，30–60 秒就够。' */
function kindWords(kind: string | undefined): string {
  const long = kind?.match(/≤?\d[\d–-]*\s*秒/)?.[0]
  return long ? `竖着拍，${long.replace('≤', '不超过 ')}就够。` : '竖着拍，一遍过就行。'
}
