// An OpenID Connect issuer on this machine: npm's oidc-provider, which is certified by the OpenID Foundation.
//
//   node provider.mjs PORT ORIGIN AUDIENCE
//
// It serves the origin's page as its client. Each line on standard input is the algorithm and the ids of the keys that
// it publishes from then on, such as `ES256 two one`. The first one signs. It answers with the same line.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const [port, origin, audience] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const keys = new Map();

function makeKey(algorithm, id) {
  const name = `${algorithm} ${id}`;
  if (!keys.has(name)) {
    const { privateKey } = algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
    keys.set(name, { ...privateKey.export({ format: "jwk" }), kid: name, alg: algorithm, use: "sig" });
  }
  return keys.get(name);
}

function makeProvider(algorithm, ids) {
  const other = makeKey(algorithm === "RS256" ? "ES256" : "RS256", "other");
  return new Provider(issuer, {
    clients: [{
      client_id: "page",
      token_endpoint_auth_method: "none",
      redirect_uris: [`${origin}/pages/`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      id_token_signed_response_alg: algorithm,
    }],
    jwks: { keys: [other, ...ids.map((id) => makeKey(algorithm, id))] },
    cookies: { keys: ["a cookie key of the tests"] },
    pkce: { required: () => true },
    clientBasedCORS: (_context, from) => from === origin,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: {
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "",
          audience,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
}

let respond;

const server = createServer((request, response) => respond(request, response));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [algorithm, ...ids] = line.split(" ");
    // Sessions and codes are kept: the providers share oidc-provider's store in memory.
    respond = makeProvider(algorithm, ids).callback();
    server.listening ? console.log(line) : server.listen(Number(port), "localhost", () => console.log(line));
  })
  .on("close", () => process.exit());
