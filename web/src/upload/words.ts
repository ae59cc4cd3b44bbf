// What she reads while a file is on its way: what happened, is anything lost, what comes next.
import { hourMinute, lasting, mb } from '@/shared/words'
import type { IconName } from '@/shared/Icon.vue'
import type { LineKind } from './phone'
import { refusedIcon } from '@/clips/refused'
import { mayGoElsewhere } from './refusals'
import type { Draft } from './state'

export interface Told {
  /** One or two words for lists and steps. */
  short: string
  title: string
  text: string
  icon: IconName
  tone: 'wait' | 'go' | 'pause' | 'done' | 'bad'
}

export interface Around {
  /** How many go first. */
  ahead: number
  bytes_per_second: number
  /** Is to go on from before, the page was closed in between, and no byte has moved since. */
  resumed: boolean
  /** Bytes of it that are in the phone's safe place so far; null where nothing is being copied here. */
  copied: number | null
  /** What the phone says that it is connected by. */
  line: LineKind
}

/** Never said of one that is gone with the page. */
const isKept = (draft: Draft) => draft.stored === 'opfs' || draft.stored === 'idb'
/** What she would lose with the page now: the copy is still being made, or there was no room for one. */
export const needsPage = (draft: Draft) => !isKept(draft)
const STAY = '先别关这一页，正在把片子存好。'
/** Whether she may leave this page alone. */
function mayLeave(draft: Draft, { copied }: Around): string {
  if (copied !== null) return STAY
  if (draft.stored === 'page') return '传完前别关这一页。'
  return isKept(draft) ? '可以去做别的，传好了这里会说。' : '传好了这里会说。'
}
/** It waits for WiFi and this phone cannot tell when there is some: only she can. */
export const needsHerWord = ({ phase }: Draft, line: LineKind) => phase === 'wait_wifi' && line === 'unknown'

export function told(draft: Draft, around: Around): Told {
  const left = draft.size - draft.offset
  const stay = around.copied !== null ? STAY : ''
  switch (draft.phase) {
    case 'chosen':
      return { short: '拍好了，还没传', title: '拍好了，还没传', text: '点开看一眼，就能传。', icon: 'film', tone: 'pause' }
    case 'queued':
      if (draft.filmed && around.copied !== null) return { short: '先存一份', title: '先在手机里存一份', text: '先别关这一页，存好了马上就传。', icon: 'safe', tone: 'wait' }
      return around.ahead > 0
        ? { short: '排着队', title: '排着队', text: `前面还有 ${around.ahead} 条，传完就到这条。${stay}`, icon: 'clock', tone: 'wait' }
        : { short: '马上传', title: '马上就传', text: isKept(draft) ? '片子在手机里存好了，不会丢。' : mayLeave(draft, around), icon: 'clock', tone: 'wait' }
    case 'sending':
      if (left === 0) return { short: '正在收好', title: '传完了，正在收好', text: '再等一小会儿，老师那边收好了就能看。', icon: 'signal', tone: 'go' }
      return {
        short: '正在传',
        title: around.resumed ? '接着上回的传' : '正在传',
        text: sendingText(draft, left, around),
        icon: 'signal',
        tone: 'go',
      }
    case 'no_signal':
      return { icon: 'pause', tone: 'pause', ...stopped(draft, stay) }
    case 'wait_wifi':
      if (needsHerWord(draft, around.line)) return { short: '等你点一下', title: '等有 WiFi 再传', text: `这条 ${mb(left)}，没点就不用你的流量。这部手机说不准连的是不是 WiFi，连上了你点一下。${stay}`, icon: 'wifi', tone: 'pause' }
      return { short: '等 WiFi', title: '等有 WiFi 再传', text: `这条 ${mb(left)}，不用你的流量。${stay}`, icon: 'wifi', tone: 'pause' }
    case 'paused':
      return { short: '先停着', title: '先停着，传好的都在', text: `还剩 ${mb(left)}。想传了，点“接着传”。${stay}`, icon: 'pause', tone: 'pause' }
    case 'needs_file':
      return {
        short: '要再选一次',
        title: '再选一次这条片子',
        text: draft.offset > 0 ? `手机没来得及存下它。选了就从 ${mb(draft.offset)} 接着传，不重传。` : '手机没来得及存下它。从相册里再选一次就传。',
        icon: 'pick',
        tone: 'pause',
      }
    case 'signed_out':
      return { short: '等你登录', title: '登录一下，接着传', text: '片子和传好的都在。', icon: 'me', tone: 'pause' }
    case 'put_off':
      return { short: '先存着', title: draft.refusal?.message ?? '这会儿收不下。', text: draft.refusal?.next_step ?? '过一会儿自己再传。', icon: 'safe', tone: 'pause' }
    case 'preparing':
      return {
        short: '老师那边在准备',
        title: draft.url ? '传完了，一点没丢' : '这条传过，没再花流量',
        text: draft.what_next ?? '老师那边在准备，大约 20 秒能看。',
        icon: 'listen',
        tone: 'go',
      }
    case 'arrived':
      return { short: '到了', title: '到了，能看了', text: draft.what_next ?? '看一遍，再交给老师。', icon: 'check', tone: 'done' }
    case 'broken':
      return {
        short: mayGoElsewhere(draft) ? '换个地方交' : '没收下',
        title: draft.refusal?.message ?? '这条片子打不开，像是没存好。',
        text: draft.refusal?.next_step ?? '再选一次，或换一条。',
        icon: refusedIcon(draft.refusal?.code),
        tone: 'bad',
      }
  }
}

/** What keeps it, is anything lost, how it goes on. */
function stopped(draft: Draft, stay: string): { short: string; title: string; text: string } {
  const begun = draft.offset > 0
  const safe = begun ? '传好的都在，' : isKept(draft) ? '片子在手机里存好了，' : ''
  switch (draft.trouble) {
    case 'portal':
      return { short: '等网络', title: '连着的 WiFi 还不能用', text: '多半要先打开网页登录一下。能用了，这里自己接着传。' + stay }
    case 'server':
      return { short: '等一等', title: '老师那边正忙', text: `${safe}过一会儿自己${begun ? '接着' : '再'}传。${stay}` }
    case 'gateway':
      return { short: '换个网', title: '连着的网不让传片子', text: `换个 WiFi，或者用流量试试。${safe}换了网自己接着传。${stay}` }
    default:
      return begun
        ? { short: '等信号', title: '信号断了，传好的都在', text: `有信号了自己会接着传，不会重传。${stay}` }
        : { short: '等信号', title: '现在没有信号', text: `${safe}有信号自己会传。${stay}` }
  }
}

function sendingText(draft: Draft, left: number, around: Around): string {
  if (around.resumed) return '刚才关了也没事，接着上回的传。'
  if (around.copied !== null || around.bytes_per_second < 1000) return mayLeave(draft, around)
  if (draft.offset === 0) return '开头最慢，一会儿就快了。'
  return `还要 ${lasting((left / around.bytes_per_second) * 1000)}。${isKept(draft) ? '可以去做别的。' : mayLeave(draft, around)}`
}

/** Since when it rests, and how it goes on. */
export function restingNote(draft: Draft): string {
  const since = hourMinute(draft.since)
  if (draft.phase === 'put_off') return `${since} 问过，收得下了自己接着传`
  return draft.trouble === 'gateway' ? `${since} 停下的，过两分钟再试` : `${since} 停下的，每 10 秒试一次`
}

/** What becomes of the copy that would survive the page. */
export function copyNote(draft: Draft, copied: number | null): string {
  if (draft.stored === 'page') return '手机快满了，没存下底。传完前别关这一页。'
  if (draft.stored !== 'copying') return ''
  return '正在手机里存一份' + (copied ? `，存了 ${Math.floor((copied / draft.size) * 100)}%` : '')
}

/** On the first page all that have arrived are one line. */
export const arrivedWords = (arrived: Draft[]) => (arrived.length === 1 ? `“${arrived[0].title}”传到了` : `${arrived.length} 条都传到了`)

/** Never 100% before all of it is there. */
export function percent(draft: Pick<Draft, 'offset' | 'size'>): string {
  return (draft.size ? Math.floor((draft.offset / draft.size) * 100) : 0) + '%'
}

export function speedWords(bytes_per_second: number): string {
  return bytes_per_second < 1_000_000 ? `每秒 ${Math.max(1, Math.round(bytes_per_second / 1000))} KB` : `每秒 ${mb(bytes_per_second)}`
}
