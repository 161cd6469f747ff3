import { createHash } from 'node:crypto'

/** Plain pages that work without scripts, with a keyboard and with a screen reader. */
export interface Page {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 10vh auto; padding: 0 1rem }
label { display: block; margin-top: 1rem }
input { box-sizing: border-box; width: 100%; padding: .5rem; font: inherit }
button { margin: 1rem .5rem 0 0; padding: .5rem 1.5rem; font: inherit }
code { font-size: 1.25rem; letter-spacing: .1em }
[role=alert] { border-left: .25rem solid #b00; padding-left: .75rem }
`
const styleHash = createHash('sha256').update(style).digest('base64')

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/**
 * `body` is HTML. `formTargets`: further addresses that an answer to a form may lead to, since browsers hold redirects
 * after a form to `form-action` too.
 */
function page(title: string, body: string, formTargets: readonly string[] = []): Page {
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - Goldleaf</title><style>${style}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>
${body}
</main></body>
</html>
`
  const forms = ["'self'", ...formTargets].join(' ')
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    },
  }
}

function alert(message: string | undefined): string {
  return message === undefined ? '' : `<p role="alert">${escapeHtml(message)}</p>`
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`
}

/** Where a redirect to a client goes, as CSP names it: an origin, or a scheme of an app. */
function targetOf(redirectUri: string | undefined): readonly string[] {
  const url = redirectUri === undefined ? null : URL.parse(redirectUri)
  if (url === null || !/^[a-z][a-z0-9+.-]*:$/.test(url.protocol)) return []
  if (!url.protocol.startsWith('http')) return [url.protocol]
  return /^[a-z0-9.:[\]-]+$/i.test(url.host) ? [url.origin] : []
}

export function signInPage(facts: {
  readonly action: string
  readonly csrf: string
  readonly clientName: string
  readonly name: string
  readonly problem?: string | undefined
  readonly redirectUri?: string | undefined
}): Page {
  return page(
    'Sign in',
    `<p>to continue to ${escapeHtml(facts.clientName)}</p>
${alert(facts.problem)}
<form method="post" action="${escapeHtml(facts.action)}">
${hidden('csrf', facts.csrf)}
<label for="username">User name</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required value="${escapeHtml(facts.name)}"${facts.name === '' ? ' autofocus' : ''}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${facts.name === '' ? '' : ' autofocus'}>
<button type="submit">Sign in</button>
<button type="submit" name="cancel" value="yes" formnovalidate>Cancel</button>
</form>`,
    targetOf(facts.redirectUri),
  )
}

export function deviceCodePage(facts: {
  readonly action: string
  readonly xsrf: string
  readonly code: string
  readonly problem?: string | undefined
}): Page {
  return page(
    'Enter the code',
    `<p>Enter the code that the app or device shows you.</p>
${alert(facts.problem)}
<form method="post" action="${escapeHtml(facts.action)}">
${hidden('xsrf', facts.xsrf)}
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus value="${escapeHtml(facts.code)}">
<button type="submit">Next</button>
</form>`,
  )
}

export function deviceConfirmPage(facts: {
  readonly action: string
  readonly xsrf: string
  readonly code: string
  readonly clientName: string
}): Page {
  return page(
    'Are you trying to sign in?',
    `<p>The code <code>${escapeHtml(facts.code)}</code> signs you in to <strong>${escapeHtml(facts.clientName)}</strong>
on another device. Go on only if you started that yourself and see this code there.</p>
<form method="post" action="${escapeHtml(facts.action)}">
${hidden('xsrf', facts.xsrf)}${hidden('user_code', facts.code)}
<button type="submit" name="confirm" value="yes">Continue</button>
<button type="submit" name="abort" value="yes">Cancel</button>
</form>`,
  )
}

export function signOutPage(facts: {
  readonly action: string
  readonly xsrf: string
  readonly redirectUri?: string | undefined
}): Page {
  return page(
    'Sign out',
    `<p>Do you want to sign out of this server in this browser?</p>
<form method="post" action="${escapeHtml(facts.action)}">
${hidden('xsrf', facts.xsrf)}
<button type="submit" name="logout" value="yes">Sign out</button>
<button type="submit">Stay signed in</button>
</form>`,
    targetOf(facts.redirectUri),
  )
}

export function messagePage(title: string, message: string, kind: 'done' | 'problem' = 'done'): Page {
  return page(title, kind === 'problem' ? alert(message) : `<p>${escapeHtml(message)}</p>`)
}
