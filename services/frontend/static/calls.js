// HTTP calls to the services and to the bucket. `observe` is called when a call begins and when it has ended, with what
// was sent, what was received and how long it took. `hold` is called before a call begins, which waits for its promise.

/** Seconds after which a call without a response is given up. API Gateway responds after 30 at the latest. */
const CALL_SECONDS = 60;
/** Seconds after which an upload is given up: without progress, and altogether. The first is long, since a slow connection
 * goes on sending what the operating system holds after the browser has reported it as sent. */
const IDLE_SECONDS = 60;
const UPLOAD_SECONDS = 900;

/** A call that failed. The message is for the user. */
export class CallError extends Error {
  /** `status`: 0 without a response. `code`: a problem's slug, S3's error code, "no-response", "unreachable" or "cancelled".
   * `said`: the exact message in the response. `isTransient`: the same call may succeed a moment later. */
  constructor(message, { status = 0, code = "unreachable", said = "", isTransient = false } = {}) {
    super(message);
    Object.assign(this, { status, code, said, isTransient });
  }
}

/**
 * @param options.method the method; by default POST if there is a body, and GET otherwise
 * @param options.requestId the request id, which is also in the services' logs
 * @param options.username the user for whom the call is made. If another user is logged in, the service refuses it
 * @param options.token an access token that is sent instead of this browser's session cookie; empty for neither
 */
export async function callService(path, body, { method = body ? "POST" : "GET", signal, requestId, username, token, observe, hold } = {}) {
  const headers = {
    "Content-Type": "application/json",
    ...(requestId && { "X-Request-Id": requestId }),
    ...(username && { "X-Username": username }),
    ...(token && { Authorization: `Bearer ${token}` }),
  };
  signal?.throwIfAborted();
  const credentials = token === undefined ? "same-origin" : "omit";
  const call = await begin(method, new URL(path, location.href), { headers, body, credentials }, { observe, hold });
  const options = { method, headers, credentials };
  let answer, text;
  try {
    ({ answer, text } = await fetchText(path, body ? { ...options, body: JSON.stringify(body) } : options, { seconds: CALL_SECONDS, signal }));
  } catch (error) {
    const failure = explainSilence(call.url, { signal, isGivenUp: error.name === "AbortError" });
    end(call, observe, { error: failure });
    signal?.throwIfAborted();
    throw failure;
  }
  const received = parse(text);
  const error = answer.ok ? null : explainProblem(answer.status, received);
  const measured = parseServerTiming(answer.headers.get("Server-Timing"));
  end(call, observe, { status: answer.status, received: received ?? text, error, measured });
  if (error) throw error;
  return received ?? null;
}

/** Fetch a response and its text. Throws an AbortError after this many seconds, and when `signal` aborts. */
export async function fetchText(address, options, { seconds, signal }) {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const stop = () => limit.abort();
  const timer = setTimeout(stop, 1000 * seconds);
  signal?.addEventListener("abort", stop);
  try {
    const answer = await fetch(address, { ...options, signal: limit.signal });
    return { answer, text: await answer.text() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Post the file straight to the bucket, with a presign's form.
 * @param options.progress is called with the sent share of the bytes, from 0 to 1
 */
export async function postForm(form, file, { signal, observe, hold, progress } = {}) {
  signal?.throwIfAborted();
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  // The file is last, since S3 ignores the fields after it.
  body.append("file", file);
  const sent = { fields: form.fields, size: file.size, file };
  const call = await begin(form.method, new URL(form.url), sent, { observe, hold });
  const { answer, isGivenUp } = await transfer(form, body, { signal, progress });
  if (!answer.status) {
    const failure = explainSilence(call.url, { signal, isGivenUp });
    end(call, observe, { error: failure });
    signal?.throwIfAborted();
    throw failure;
  }
  const { status, responseText: received } = answer;
  const error = status < 300 ? null : explainBucketError(status, received);
  const headers = { ETag: answer.getResponseHeader("ETag") };
  end(call, observe, { status, received, headers, error });
  if (error) throw error;
}

/** Send it by XMLHttpRequest, since fetch does not report upload progress. Status 0: there was no response. */
function transfer(form, body, { signal, progress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let isGivenUp = false;
    const giveUp = () => {
      isGivenUp = true;
      request.abort();
    };
    const whole = setTimeout(giveUp, 1000 * UPLOAD_SECONDS);
    let idle = setTimeout(giveUp, 1000 * IDLE_SECONDS);
    request.upload.onprogress = ({ loaded, total }) => {
      clearTimeout(idle);
      idle = setTimeout(giveUp, 1000 * IDLE_SECONDS);
      progress?.(total ? loaded / total : 1);
    };
    request.onloadend = () => {
      clearTimeout(whole);
      clearTimeout(idle);
      resolve({ answer: request, isGivenUp });
    };
    signal?.addEventListener("abort", () => request.abort());
    request.open(form.method, form.url);
    // Otherwise Firefox parses a response without a Content-Type as XML, and reports an error in the console.
    request.responseType = "text";
    request.send(body);
  });
}

async function begin(method, url, sent, { observe, hold }) {
  const call = { method, url, sent, began: null, ended: null, status: null, received: null, measured: [] };
  if (hold) await hold(call);
  call.began = performance.now();
  observe?.(call);
  return call;
}

function end(call, observe, answer) {
  Object.assign(call, { ended: performance.now(), status: 0 }, answer);
  observe?.(call);
}

/** The calls to AWS that the service measured (W3C: "Server Timing"), such as `GetObject;dur=4.2`. Only the demo sends them. */
function parseServerTiming(header) {
  const entries = header?.split(",").map((entry) => entry.trim().split(";")) ?? [];
  return entries.map(([name, ...parameters]) => {
    const duration = parameters.find((parameter) => parameter.startsWith("dur="));
    return { name, milliseconds: Number(duration?.slice(4)) };
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error of a call without a response: the user cancelled it, the page gave it up, or the browser ended it. A browser
 * does not tell a page whether the network failed or CORS refused the call. */
function explainSilence(url, { signal, isGivenUp }) {
  if (signal?.aborted) return new CallError("Cancelled.", { code: "cancelled" });
  const [words, code] = isGivenUp ? ["did not respond", "no-response"] : ["can't be reached", "unreachable"];
  return new CallError(`${url.host} ${words}. Check the connection and try again.`, { code });
}

const ADVICE = {
  "other-user": "Nothing was changed.",
  "not-logged-in": "Log in again, and then try again.",
  "token-expired": "Log in again, and then try again.",
  "not-a-picture": "Choose another file.",
  "type-mismatch": "Choose another file, or save it again as what its name says.",
  "unreadable-picture": "Choose another file.",
  "too-many-pixels": "Cut or scale it first.",
  "too-large": "Cut or scale it first.",
  "type-not-allowed": "Choose another file, or save it as one of these.",
  "empty-file": "Choose another file.",
};

/** Responses of API Gateway and of the load balancer, which are no problem documents and say nothing to a user. */
const EDGE_ERRORS = {
  429: "There are too many requests at the moment.",
  502: "The service can't be reached at the moment.",
  503: "The service can't be reached at the moment.",
  504: "The service did not respond in time.",
};

/** A service responds with problem+json (RFC 9457). Any other body comes from a proxy between browser and service. */
function explainProblem(status, problem) {
  const { type, title, detail } = problem ?? {};
  if (!type) {
    const words = EDGE_ERRORS[status] ?? "The service refused the request without saying why.";
    return new CallError(`${words} Try again in a moment. (${status})`, { status, code: `http-${status}` });
  }
  const code = type.replace("urn:problem:", "");
  const words = [detail || title, ADVICE[code]].filter(Boolean).join(" ");
  return new CallError(`${words} (${status}, ${type})`, { status, code, said: detail || title });
}

/** The status codes of the bucket, or of a proxy before it, that are no fault of the request, unlike 501. */
const TRANSIENT = new Set([500, 502, 503, 504]);

const BUCKET_ERRORS = {
  EntityTooLarge: "The file is larger than it was declared to be. Try again, with a new form.",
  EntityTooSmall: "The file is smaller than it was declared to be. Try again, with a new form.",
  AccessDenied: "The form does not allow this file, or it has expired. Try again, with a new form.",
  BadDigest: "The file arrived damaged or is not the one that was declared. Try again, with a new form.",
  SignatureDoesNotMatch: "The form's signature is wrong. Try again, with a new form.",
};

/** An error of S3 is XML: `<Error><Code>…</Code><Message>…</Message></Error>`. */
function explainBucketError(status, text) {
  // For a text that is not XML, Chromium makes a document with inline styles, which the Content Security Policy blocks.
  const document = text.includes("<Error>") ? new DOMParser().parseFromString(text, "application/xml") : null;
  const code = document?.querySelector("Error > Code")?.textContent;
  const said = document?.querySelector("Error > Message")?.textContent ?? "";
  // RequestTimeout has the status 400.
  const isTransient = TRANSIENT.has(status) || code === "RequestTimeout";
  const words = isTransient
    ? "S3 could not accept the file now. Try again in a moment."
    : (BUCKET_ERRORS[code] ?? "S3 refused the form. Try again, with a new form.");
  const details = code ? `${status}, ${code}: ${said}` : status;
  return new CallError(`${words} (${details})`, { status, code: code ?? `http-${status}`, said, isTransient });
}
