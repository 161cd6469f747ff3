/**
 * oidc-provider without its front door (`lib/index.js`), which adds nothing but a warning on stderr wherever Node is no
 * LTS release that it knows: at every start here, as we pin Node 26 and test on it. Its version is pinned too.
 */
export { InvalidGrant, InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
export { Check, base as basePolicy } from 'oidc-provider/lib/helpers/interaction_policy/index.js'
export { Provider } from 'oidc-provider/lib/provider.js'
