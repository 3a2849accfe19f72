// The lab's identity provider: npm's oidc-provider over TLS on loopback, with the people of tests/lablib/files.py.
//
// Environment: IDP_PORT, IDP_KEY and IDP_CERT (PEM files), IDP_PEOPLE (JSON: {name: [groups]}), IDP_SECRET (of the confidential clients and of the
// /lab/ calls), IDP_READY_FD (gets "ready" when it listens), IDP_ALG (RS256), IDP_DEVICE_TTL (seconds, 600), IDP_TOKEN_TTL (seconds, 3600).
//
// Clients: bartizan (public), bartizan-basic and bartizan-post (with the secret). State is in memory, keys are made at the start.
//
// Calls for tests, with `Authorization: Bearer SECRET`:
//   POST /lab/rotate        new signing keys; the old ones are gone
//   POST /lab/set           {"alg", "claims": {name: {…}}, "deviceTtl", "tokenTtl", "status": N (answer everything so), "hideJwks": true}: changes what it says
//   POST /lab/token         {"claims": {…}, "header": {…}}: an ID token signed as ours, claims as given over sensible ones (a machine's, or a bad one)
import { createServer } from 'node:https';
import { readFileSync, writeSync } from 'node:fs';
import * as crypto from 'node:crypto';
import { register } from 'node:module';

// Debian 12 has Node 18, which lacks some of what oidc-provider 9 uses.
globalThis.crypto ??= crypto.webcrypto;
URL.canParse ??= (text, base) => URL.parse(text, base) !== null;
URL.parse ??= (text, base) => {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
};

// A module's names cannot be added to: oidc-provider gets another module in its place, with the one function that is missing.
const module = (text) => `data:text/javascript,${encodeURIComponent(text)}`;
if (!crypto.hash) {
  const withHash = module(`
    import { createHash } from 'node:crypto';
    export * from 'node:crypto';
    export const hash = (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding === 'buffer' ? undefined : encoding);`);
  register(module(`
    export const resolve = (name, context, next) =>
      name === 'node:crypto' && context.parentURL.includes('/oidc-provider/') ? { url: ${JSON.stringify(withHash)}, shortCircuit: true } : next(name, context);`));
}

const { default: Provider } = await import('oidc-provider');
const jose = await import('jose');

const env = process.env;
const issuer = `https://127.0.0.1:${env.IDP_PORT}`;
const people = JSON.parse(env.IDP_PEOPLE);
const settings = {
  alg: env.IDP_ALG ?? 'RS256', claims: {}, status: 0, hideJwks: false,
  deviceTtl: Number(env.IDP_DEVICE_TTL ?? 600), tokenTtl: Number(env.IDP_TOKEN_TTL ?? 3600),
};
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'];

// ---- state: one map for all instances, so that a rotation of keys forgets nobody ----

const stored = new Map();

class Memory {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    stored.set(this.key(id), { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }

  async find(id) {
    const entry = stored.get(this.key(id));
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }

  async findWhere(test) {
    for (const [key, { payload, until }] of stored) {
      if (key.startsWith(`${this.model}:`) && until > Date.now() && test(payload)) return payload;
    }
    return undefined;
  }

  async findByUid(uid) {
    return this.findWhere((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.findWhere((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    stored.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) {
      if (payload.grantId === grantId) stored.delete(key);
    }
  }
}

// ---- keys ----

async function makeKeys() {
  const kinds = [['RS256', { modulusLength: 2048 }], ['ES256', {}], ['ES384', {}], ['EdDSA', { crv: 'Ed25519' }]];
  return Promise.all(kinds.map(async ([alg, options]) => {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true, ...options });
    const jwk = await jose.exportJWK(privateKey);
    return { ...jwk, use: 'sig', kid: `${jwk.kty}-${crypto.randomBytes(6).toString('hex')}` };
  }));
}

let keys = await makeKeys();

function keyFor(alg) {
  const fits = { ES256: (k) => k.crv === 'P-256', ES384: (k) => k.crv === 'P-384', EdDSA: (k) => k.kty === 'OKP', Ed25519: (k) => k.kty === 'OKP' };
  return keys.find(fits[alg] ?? ((k) => k.kty === 'RSA'));
}

// ---- the provider ----

function claimsOf(name) {
  return {
    sub: `id-${name}`, preferred_username: name, name: name[0].toUpperCase() + name.slice(1), email: `${name}@example.com`, email_verified: true,
    groups: people[name], ...settings.claims[name],
  };
}

function client(id, method) {
  return {
    client_id: id, client_name: 'Bartizan', application_type: 'native', token_endpoint_auth_method: method,
    ...(method === 'none' ? {} : { client_secret: env.IDP_SECRET }),
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code'], response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'], id_token_signed_response_alg: settings.alg,
  };
}

function makeProvider() {
  const provider = new Provider(issuer, {
    adapter: Memory,
    clients: [client('bartizan', 'none'), client('bartizan-basic', 'client_secret_basic'), client('bartizan-post', 'client_secret_post')],
    jwks: { keys },
    cookies: { keys: ['lab'] },
    conformIdTokenClaims: false,
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    features: { deviceFlow: { enabled: true, mask: '****-****' }, devInteractions: { enabled: true } },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, DeviceCode: settings.deviceTtl, Grant: 86400, IdToken: settings.tokenTtl, Interaction: 3600, Session: 86400 },
    pkce: { required: () => true },
    async findAccount(ctx, id) {
      return Object.hasOwn(people, id) ? { accountId: id, claims: async () => claimsOf(id) } : undefined;
    },
    renderError(ctx, out) {
      ctx.type = 'text/plain';
      ctx.body = `${out.error}: ${out.error_description}\n`;
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

let handler = makeProvider();

// ---- calls for tests ----

const calls = {
  async rotate() {
    keys = await makeKeys();
    handler = makeProvider();
    return { kids: keys.map((key) => key.kid) };
  },
  async set(asked) {
    Object.assign(settings, asked);
    handler = makeProvider();
    return settings;
  },
  async token({ claims = {}, header = {} }) {
    const now = Math.floor(Date.now() / 1000);
    const alg = header.alg ?? settings.alg;
    const key = keyFor(alg);
    const payload = { iss: issuer, aud: 'bartizan', sub: 'machine', iat: now, exp: now + settings.tokenTtl, ...claims };
    const signed = new jose.SignJWT(Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== null)));
    return { token: await signed.setProtectedHeader({ alg, kid: key.kid, ...header }).sign(await jose.importJWK(key, alg)) };
  },
};

function authorized(request) {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${env.IDP_SECRET}`);
  return given.length === wanted.length && crypto.timingSafeEqual(given, wanted);
}

async function answerCall(name, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let status = 200;
  let body;
  try {
    if (!authorized(request) || !Object.hasOwn(calls, name)) throw new Error('no');
    body = await calls[name](chunks.length ? JSON.parse(Buffer.concat(chunks)) : {});
  } catch (wrong) {
    status = 400;
    body = { error: String(wrong) };
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const server = createServer({ key: readFileSync(env.IDP_KEY), cert: readFileSync(env.IDP_CERT) }, (request, response) => {
  const call = /^\/lab\/([a-z]+)$/.exec(request.url);
  if (call && request.method === 'POST') {
    answerCall(call[1], request, response);
  } else if (settings.status) {
    response.writeHead(settings.status, { 'content-type': 'text/plain' }).end('as asked\n');
  } else if (settings.hideJwks && request.url === '/jwks') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[]}');
  } else {
    handler(request, response);
  }
});

server.listen(Number(env.IDP_PORT), '127.0.0.1', () => {
  if (env.IDP_READY_FD) writeSync(Number(env.IDP_READY_FD), 'ready\n');
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
