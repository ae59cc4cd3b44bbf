// A draft for tests, as it is when it has just been queued.
import type { Draft } from './state'
import type { Around } from './words'

export const draft = (with_: Partial<Draft> = {}): Draft => ({
  id: 'd1', owner: 'usr_1', title: '村里的打鼓队', assignment: null, clip: null, filename: 'a.mp4', filetype: 'video/mp4',
  size: 30_000_000, mark: 'm', made_at: 1, stored: 'opfs', filmed: false, wifi_only: false, phase: 'queued', since: 1, told_at: 1,
  offset: 0, trouble: null, key: 'k1', is_new: false, url: null, clip_id: null, version_id: null, refusal: null, again_at: null,
  lost_times: 0, what_next: null, cancelled_at: null, ...with_,
})
export const around: Around = { ahead: 0, bytes_per_second: 0, resumed: false, copied: null, line: 'mobile' }
