interface Page {
  readonly url: string
  readonly html: string
}

/** A browser without scripts: it keeps cookies, follows redirects and sends forms with their hidden fields. */
function openBrowser() {
  const cookies = new Map<string, string>()
  const visit = async (url: string, form?: URLSearchParams): Promise<Page> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'text/html', cookie },
      ...(form === undefined ? {} : { method: 'POST', body: form }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value !== '') cookies.set(name, value)
    }
    const to = answer.headers.get('location')
    return to === null ? { url, html: await answer.text() } : visit(new URL(to, url).href)
  }
  const submit = (page: Page, fields: Record<string, string>): Promise<Page> => {
    const form = new URLSearchParams(fields)
    for (const [, name = '', value = ''] of page.html.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g))
      form.set(name, value)
    return visit(new URL(/action="([^"]*)"/.exec(page.html)?.[1] ?? '', page.url).href, form)
  }
  return { visit, submit }
}

/** What a person does with a device code: enters it at the page that was named, and signs in. Answers the last page. */
export async function signInWithDeviceCode(
  address: string,
  code: string,
  { username, password }: { readonly username: string; readonly password: string },
): Promise<string> {
  const { visit, submit } = openBrowser()
  const confirm = await submit(await visit(address), { user_code: code })
  const page = await submit(confirm, { confirm: 'yes' })
  return (await submit(page, { username, password })).html
}
