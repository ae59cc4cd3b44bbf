// A roster as people keep it: one line a person, 姓名 手机号 村, copied from a table or a chat.

export interface RosterLine {
  line: number
  name: string
  phone: string
  village: string
  group: number | null
  /** What is wrong with it, in words; null when it can be sent. */
  wrong: string | null
}

export function parseRoster(text: string): RosterLine[] {
  const seen = new Set<string>()
  const out: RosterLine[] = []
  text.split(/\r\n?|\n/).forEach((raw, index) => {
    const parts = raw.split(/[\s,，;；、|]+/).filter(Boolean)
    if (parts.length === 0) return
    const at = parts.findIndex(part => /^\+?[\d-]{7,}$/.test(part))
    const phone = at < 0 ? '' : parts[at]!.replace(/^\+?86(?=1\d{10}$)/, '').replace(/\D/g, '')
    const rest = parts.filter((_, i) => i !== at)
    // a table's head line, and the running number that often stands first
    if (at < 0 && /姓名|电话|手机/.test(raw)) return
    if (/^\d{1,3}[.．]?$/.test(rest[0] ?? '')) rest.shift()
    const groupAt = rest.findIndex(part => /^第?([一二三四五六七八九十]|\d{1,2})组$/.test(part))
    const group = groupAt < 0 ? null : groupNumber(rest.splice(groupAt, 1)[0]!)
    const name = rest[0] ?? ''
    const village = rest.slice(1).join('')
    let wrong: string | null = null
    if (!name) wrong = '没有姓名'
    else if (!/^1\d{10}$/.test(phone)) wrong = phone ? '手机号要 11 位' : '没有手机号'
    else if (seen.has(phone)) wrong = '手机号和前面一行一样'
    else if (!village) wrong = '没写村'
    if (phone) seen.add(phone)
    out.push({ line: index + 1, name, phone, village, group, wrong })
  })
  return out
}

function groupNumber(text: string): number {
  const inner = text.replace(/[第组]/g, '')
  const chinese = '一二三四五六七八九十'.indexOf(inner)
  return chinese >= 0 ? chinese + 1 : Number(inner)
}
