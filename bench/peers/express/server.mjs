// Express with a presigned POST as the documentation of the AWS SDK v3 shows it.

import { S3Client } from "@aws-sdk/client-s3";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import express from "express";
import { randomUUID } from "node:crypto";

const s3 = new S3Client();
const app = express();
app.use(express.json());

app.post("/presign", async (request, response) => {
  const { content_type: type, size } = request.body;
  const key = `pending/${randomUUID()}`;
  const form = await createPresignedPost(s3, {
    Bucket: process.env.BUCKET,
    Key: key,
    Fields: { "Content-Type": type, "x-amz-meta-username": "Cooper12" },
    Conditions: [["content-length-range", size, size]],
    Expires: 300,
  });
  response.json({ method: "POST", ...form, key });
});
app.get("/health", (_request, response) => response.json({}));

app.listen(Number(process.env.PORT), process.env.HOST);
process.stdin.resume().on("end", () => process.exit());
