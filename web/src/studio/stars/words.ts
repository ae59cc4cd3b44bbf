// How platforms, figures and criteria are called. Pure.
import type { Criterion, Platform, Snapshot, StarEvaluation, StarLevel } from '../types'
import { count } from '../words'

export const PLATFORMS: Record<Platform, string> = {
  douyin: '抖音', kuaishou: '快手', wechat_channels: '视频号', xiaohongshu: '小红书', wechat_mp: '公众号', weibo: '微博',
}

type Figure = 'followers' | 'views' | 'originals' | 'active_weeks' | 'lives' | 'service' | 'column_episodes' | 'adopted_upward' | 'impact_points'
export const FIGURES: { field: Figure; short: string; name: string; hint: string }[] = [
  { field: 'followers', short: '粉丝', name: '粉丝', hint: '截图那天一共多少' },
  { field: 'views', short: '播放', name: '播放', hint: '这段日子里一共多少次' },
  { field: 'originals', short: '原创', name: '原创作品', hint: '这段日子里发了几条' },
  { field: 'active_weeks', short: '更新周', name: '有更新的周数', hint: '这段日子里几个星期发过' },
  { field: 'lives', short: '直播', name: '直播', hint: '几场' },
  { field: 'service', short: '服务', name: '服务群众', hint: '办了几件、帮了几个人' },
  { field: 'column_episodes', short: '栏目', name: '栏目期数', hint: '固定栏目出了几期' },
  { field: 'adopted_upward', short: '采用', name: '上级采用', hint: '县里以上用了几条' },
  { field: 'impact_points', short: '实效', name: '振兴实效', hint: '核实的销售额每 100 元 1 点，公益实效每件 5 点' },
]
export const valueOf = (snapshot: Snapshot, field: Figure): number | null => snapshot[field]

const LEVELS = ['没有星', '一星', '二星', '三星', '四星', '五星']
export const levelName = (level: number) => LEVELS[level] ?? `${level} 星`

/** What is lacking first, then what was never recorded, then what is there. */
export function inNeed(criteria: readonly Criterion[]): Criterion[] {
  const rank = (c: Criterion) => (c.met ? 2 : c.have === null ? 1 : 0)
  return [...criteria].sort((a, b) => rank(a) - rank(b))
}

export const lacking = (level: StarLevel) => level.criteria.filter(c => !c.met).length

/** The state of an evaluation in one sentence. */
export function sentenceOf(evaluation: StarEvaluation): string {
  const { current_level: now, reachable_level: reach } = evaluation
  const next = evaluation.levels.find(l => l.level === Math.max(now, reach) + 1)
  const has = now ? `现在${levelName(now)}` : '现在还没有星'
  const can = reach > now ? `，证据够评${levelName(reach)}` : ''
  const far = next ? `，离${levelName(next.level)}还差${count(lacking(next), '样')}` : ''
  return `${has}${can}${far}。`
}

/** A source without the names that only machines use; those stay in the title for whoever traces it. */
export const plainSource = (source: string) => source.replace(/（[a-z]+_[0-9a-z]{20,}）/g, '')

export function amount(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1)
}
