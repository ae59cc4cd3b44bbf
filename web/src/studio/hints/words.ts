// What the numbers of a hint mean, in words. Pure.
import type { CoachingCondition, CoachingRule } from '../types'

/** What is looked at, and in what: as the worker measures it. */
const MEASURES: Record<string, { name: string; unit: string }> = {
  light: { name: '画面亮度', unit: '（16 全黑，235 全白）' },
  middle: { name: '中间的亮度', unit: '（脸在 80 以上看得清）' },
  backlight: { name: '背后比中间亮', unit: '（差多少；差 60 脸就发黑了）' },
  sharp: { name: '清晰程度', unit: '（清楚的常在 150 以上）' },
  shake: { name: '晃动', unit: '（拿稳的在 60 以下）' },
  change: { name: '前后两帧的差别', unit: '（0 是一点没动）' },
  level: { name: '音量', unit: '分贝（说话常在 −35 到 −15）' },
  clipped: { name: '爆音的地方', unit: '处（一万处里）' },
  low: { name: '呼呼的低声占', unit: '%（风声 60 以上，说话和音乐 20 以下）' },
  sideways: { name: '横着拍', unit: '' },
}

export type Side = 'above' | 'below'
export interface Limit { at: number; side: Side; name: string; word: string; unit: string }

/** Each number of a rule that can be set; whether it lies on its side can not. */
export function limits(when: CoachingCondition[]): Limit[] {
  return when.flatMap((condition, at) => {
    const known = MEASURES[condition.measure]
    if (!known || condition.measure === 'sideways') return []
    const sides: Side[] = ['above', 'below']
    return sides
      .filter(side => condition[side] != null)
      .map(side => ({ at, side, name: known.name, word: side === 'above' ? '高于' : '低于', unit: known.unit }))
  })
}

/** The sentence as she reads it, with a place for example. */
export const example = (rule: Pick<CoachingRule, 'say'>) => rule.say.replace('{at}', '第 8 秒起')

/** The same conditions with one number changed. */
export function withLimit(when: CoachingCondition[], at: number, side: Side, value: number): CoachingCondition[] {
  return when.map((condition, n) => (n === at ? { ...condition, [side]: value } : condition))
}
