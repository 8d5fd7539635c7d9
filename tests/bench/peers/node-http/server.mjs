// Node's own HTTP server with the AWS SDK v2, which keeps its signing key between forms.

import aws from "aws-sdk";
import { randomUUID } from "node:crypto";
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

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = request.method === "POST" ? presign(JSON.parse(Buffer.concat(chunks).toString())) : {};
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

createServer(answer).listen(Number(process.env.PORT), process.env.HOST);
process.stdin.resume().on("end", () => process.exit());
