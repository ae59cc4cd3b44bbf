// Turns the server's ready line (one line of JSON on its stdout) into what a person wants to know.
import { createInterface } from 'node:readline'

// Ctrl-C is for the server; this ends when the server's output does.
process.on('SIGINT', () => {})

const ROLES = { trainee: '学员', mentor: '导师', staff: '媒体中心', admin: '管理员' }

// A Chinese character takes two columns.
const columns = (text) => [...text].reduce((sum, c) => sum + (c > '\u2e7f' ? 2 : 1), 0)
const pad = (text, width) => text + ' '.repeat(Math.max(1, width - columns(text)))

function show({ ready, people = [] }) {
  const lines = ['', `  微家已经启动，用浏览器打开：${ready}`, `  导师和媒体中心的工作台：    ${ready}/studio`, '']
  if (people.length > 0) {
    lines.push('  可以用这些人登录：')
    const width = Math.max(...people.map((p) => columns(p.name))) + 2
    for (const p of people) {
      lines.push(`    ${pad(ROLES[p.role] ?? p.role, 10)}${pad(p.name, width)}手机 ${p.phone}  密码 ${p.password}`)
    }
    lines.push('')
  }
  lines.push('  按 Ctrl-C 停止；数据留在 data/ 里，下次接着用。', '')
  console.log(lines.join('\n'))
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    show(JSON.parse(line))
  } catch {
    console.log(line)
  }
}
