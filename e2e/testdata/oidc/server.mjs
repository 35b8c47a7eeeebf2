// An OAuth 2 server on a port of loopback: oidc-provider with client credentials, the scopes of the requirements and tokens
// that live for 20 s. A resource server may ask it about a token (RFC 7662).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, port, secret] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(createRequire(modules + '/').resolve('oidc-provider')).href);
const scopes = ['analytics:realtime:view', 'digital:engagement:metrics:read', 'webmessaging:view', 'openid', 'offline_access'];
const client = (client_id, scope) => ({
  client_id, client_secret: secret, scope, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
});
new Provider(`http://127.0.0.1:${port}`, {
  clients: [client('five', scopes.join(' ')), client('two', scopes.slice(0, 2).join(' ')), client('platform')],
  scopes,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_, asking) => asking.clientId === 'platform' },
  },
  ttl: { ClientCredentials: 20 },
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
