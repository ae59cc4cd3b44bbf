/** Where a moment of one version lies in another: as far into it. The server reckons the same (`review::fix::carried`). */
export function carried(ms: number, from: number | null | undefined, to: number | null | undefined): number {
  return from && to ? Math.min(to, Math.floor((ms * to) / from)) : ms
}
