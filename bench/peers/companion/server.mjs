// Uppy Companion with S3 as its only provider.

import * as companion from "@uppy/companion";
import express from "express";
import { tmpdir } from "node:os";

const { HOST, PORT, BUCKET, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;

const app = express();
app.use(
  companion.app({
    s3: { key: AWS_ACCESS_KEY_ID, secret: AWS_SECRET_ACCESS_KEY, bucket: BUCKET, region: AWS_REGION, expires: 300 },
    server: { host: `${HOST}:${PORT}`, protocol: "http" },
    filePath: tmpdir(),
    secret: "a secret of the benchmark's",
    corsOrigins: true,
    uploadUrls: ["https://example.org"],
    metrics: false,
  }).app,
);

app.listen(Number(PORT), HOST);
process.stdin.resume().on("end", () => process.exit());
