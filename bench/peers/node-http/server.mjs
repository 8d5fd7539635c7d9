// Node's own HTTP server with the AWS SDK v2, which caches its signing key between forms.
//
// With JWKS_URL it also verifies an ES256 token and writes a log line and a metrics line for each presign, as our
// service does.

import aws from "aws-sdk";
import { createPublicKey, randomUUID, verify } from "node:crypto";
import { createServer } from "node:http";

const s3 = new aws.S3({ signatureVersion: "v4" });

function presign({ content_type: type, size }) {
  const key = `pending/${randomUUID()}`;
  const form = s3.createPresignedPost({
    Bucket: process.env.BUCKET,
    Fields: { key, "Content-Type": type, "x-amz-meta-username": "Cooper12" },
    Conditions: [["content-length-range", size, size]],
    Expires: 300,
  });
  return { method: "POST", ...form, key };
}

const keys = new Map();
if (process.env.JWKS_URL) {
  const found = await (await fetch(process.env.JWKS_URL)).json();
  for (const key of found.keys) keys.set(key.kid, createPublicKey({ key, format: "jwk" }));
}
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

function identify(request) {
  const [head, claims, signature] = request.headers.authorization.slice("Bearer ".length).split(".");
  const key = { key: keys.get(decode(head).kid), dsaEncoding: "ieee-p1363" };
  if (!verify("sha256", `${head}.${claims}`, key, Buffer.from(signature, "base64url"))) throw new Error("forged");
  const { iss, aud, exp, sub } = decode(claims);
  if (iss !== process.env.ISSUER || aud !== process.env.AUDIENCE || exp <= Date.now() / 1000) throw new Error("refused");
  return sub;
}

// CloudWatch's embedded metric format.
const metricsOf = (name) => ({
  _aws: {
    Timestamp: Date.now(),
    CloudWatchMetrics: [
      { Namespace: "ThreePhaseUpload", Dimensions: [["Service"]], Metrics: [{ Name: name, Unit: "Count" }] },
    ],
  },
  Service: "uploads",
  [name]: [1],
});

async function answer(request, response) {
  const began = performance.now();
  const username = keys.size && request.method === "POST" ? identify(request) : undefined;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = request.method === "POST" ? presign(JSON.parse(Buffer.concat(chunks).toString())) : {};
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
  if (username) {
    const { method, url: path } = request;
    const line = { time: new Date(), id: randomUUID(), method, path, username, ms: performance.now() - began };
    process.stdout.write(`${JSON.stringify(metricsOf("Presigned"))}\n`);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

createServer(answer).listen(Number(process.env.PORT), process.env.HOST);
process.stdin.resume().on("end", () => process.exit());
