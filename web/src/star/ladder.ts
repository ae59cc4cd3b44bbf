// How far the cloth is woven. Pure.
import type { Criterion, MyStar } from '@/api/types'

/** The part of one requirement that is there; what nobody registered is bare warp, not zero. */
export function share(each: Pick<Criterion, 'have' | 'needed' | 'met'>): number {
  if (each.met) return 1
  if (each.have == null || each.needed <= 0) return 0
  return Math.max(0, Math.min(0.99, each.have / each.needed))
}

/** Percent of the whole ladder: a fifth for each star, and within the next one its requirements' mean. */
export function woven(star: Pick<MyStar, 'level'> & { next?: { criteria: Pick<Criterion, 'have' | 'needed' | 'met'>[] } | null }): number {
  if (!star.next) return star.level * 20
  const shares = star.next.criteria.map(share)
  const mean = shares.length ? shares.reduce((a, b) => a + b, 0) / shares.length : 0
  return Math.min(96, star.level * 20 + mean * 20)
}

export function haveWords(each: Pick<Criterion, 'have' | 'needed' | 'unit'>): string {
  if (each.have == null) return '还没登记'
  return each.have === 0 ? `还没有，要 ${each.needed} ${each.unit}` : `有 ${each.have} ${each.unit}，要 ${each.needed} ${each.unit}`
}
