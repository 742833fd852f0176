// An identity provider with ProConnect's conventions, for the tests: `node provider.mjs CONFIG`.
// CONFIG is JSON: {issuer, port, client, people}. Says "ready" once it listens on 127.0.0.1.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const { issuer, port, client, people } = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
const claims = ['given_name', 'usual_name', 'email', 'siret', 'organizational_unit', 'idp_id'];

const provider = new Provider(issuer, {
  clients: [{
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: 'RS256',
    userinfo_signed_response_alg: 'RS256',
    ...client,
  }],
  jwks: { keys: [key] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub', 'acr'], ...Object.fromEntries(claims.map((name) => [name, [name]])) },
  scopes: ['openid', ...claims],
  acrValues: ['eidas1', 'eidas2'],
  pkce: { methods: ['S256'], required: () => true },
  features: { jwtUserinfo: { enabled: true }, claimsParameter: { enabled: true } },
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: id, ...people[id] }),
  },
  // Whoever signs in has agreed to everything, as within an administration.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope(['openid', ...claims].join(' '));
    grant.addOIDCClaims(['acr']);
    await grant.save();
    return grant;
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
