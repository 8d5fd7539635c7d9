// Logs in by an authorization code flow with PKCE, and uploads a picture with the access token.

import * as oauth from "./oauth4webapi.js";
import { AUDIENCE, ISSUER } from "./settings.js";

const insecure = { [oauth.allowInsecureRequests]: true }; // the issuer is on this machine
const client = { client_id: "page" };
const callback = location.origin + location.pathname;
const issuer = new URL(ISSUER);

const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));

document.querySelector("#login").onclick = async () => {
  const verifier = oauth.generateRandomCodeVerifier();
  sessionStorage.setItem("verifier", verifier);
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: callback,
    response_type: "code",
    scope: "openid",
    resource: AUDIENCE,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  location.assign(url);
};

async function logIn() {
  const returned = oauth.validateAuthResponse(server, client, new URL(location.href), oauth.expectNoState);
  const response = await oauth.authorizationCodeGrantRequest(
    server, client, oauth.None(), returned, callback, sessionStorage.getItem("verifier"),
    { ...insecure, additionalParameters: { resource: AUDIENCE } },
  );
  return (await oauth.processAuthorizationCodeResponse(server, client, response)).access_token;
}

async function upload(file, token) {
  const call = (path, body) => fetch(path, {
    method: "POST",
    credentials: "omit",
    headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  const presigned = await (await call("/uploads/presign", {
    content_type: file.type,
    size: file.size,
    sha256: btoa(String.fromCharCode(...new Uint8Array(digest))),
  })).json();
  const form = new FormData();
  for (const [name, value] of Object.entries(presigned.fields)) form.append(name, value);
  form.append("file", file);
  await fetch(presigned.url, { method: "POST", body: form });
  return (await call("/uploads/confirm", { key: presigned.key })).json();
}

const show = (text) => { document.querySelector("output").textContent = text; };

if (new URLSearchParams(location.search).has("code")) {
  const token = await logIn();
  const input = document.querySelector("#file");
  input.disabled = false;
  input.onchange = async () => show(JSON.stringify(await upload(input.files[0], token)));
  window.token = token; // for the test
  show("Logged in");
}
