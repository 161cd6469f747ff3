// Where every npm script begins. Only this check may meet a Node that is too old, so it uses no young syntax, and what
// does is imported behind it.
const major = Number(process.versions.node.split('.')[0])
if (major >= 18) void import('./hand-over.mjs')
else {
  process.stderr.write(
    `goldleaf: this is Node ${process.version}, and Node 18 or newer is needed to start (it brings its own Node 26).\n` +
      'goldleaf: Debian 12, Ubuntu 24.04 and newer bring one (apt-get install nodejs npm); for others see https://nodejs.org/en/download\n',
  )
  process.exit(1)
}
