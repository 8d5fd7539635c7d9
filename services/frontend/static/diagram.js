// The sequence diagram: the calls of the latest upload or attack, with what was measured.

import { build } from "./elements.js";

const LANES = { GetObject: "S3", HeadObject: "S3", CopyObject: "S3", PutObject: "S3", DeleteObjects: "S3" };

/** Draw these calls, each `{call, name, detail}`, in the order in which they were made. `seen`: lines about what the page
 * found afterwards, each `{to, text}`. */
export function draw(title, calls, seen = []) {
  const diagram = document.querySelector("#diagram");
  diagram.dataset.drawn = "calls";
  diagram.querySelector("[data-caption]").textContent = title;
  const steps = diagram.querySelector(".steps");
  steps.replaceChildren(...calls.flatMap(drawCall), ...seen.map(({ to, text }) => drawStep("uploads", to, text, "seen")));
  steps.parentElement.scrollTop = steps.scrollHeight;
}

function drawCall({ call, name, detail }) {
  const lane = findLane(call.url);
  const request = drawStep("browser", lane, `${name}: ${call.began === null ? "not sent" : detail(call)}`, call.ended === null ? "request running" : "request");
  if (call.ended === null) return [request];
  const inner = call.measured.map(({ name: operation, milliseconds }) => drawStep("uploads", LANES[operation] ?? "DynamoDB", `${operation} · ${milliseconds.toFixed(1)} ms`, "request inner"));
  return [request, ...inner, drawResponse(call, lane)];
}

function drawResponse(call, lane) {
  const isGood = call.status >= 200 && call.status < 300;
  const status = [call.status || "no response", call.error?.code].filter(Boolean).join(" ");
  const found = isGood ? (call.received?.avatar ?? call.received?.key) : "";
  const text = `${status} · ${round(call.ended - call.began)} ms${found ? `: ${found}` : ""}`;
  return drawStep(lane, "browser", text, isGood ? "response" : "response refused");
}

function findLane(url) {
  if (url.origin !== location.origin) return "S3";
  return url.pathname.includes("/uploads/") ? "uploads" : "auth";
}

function drawStep(from, to, text, kind) {
  const line = build("span", { className: "line" });
  line.setAttribute("aria-hidden", "true");
  const step = build("li", { className: `step ${kind}` },
    build("span", { className: "unseen", textContent: `${from} to ${to}: ` }),
    build("span", { className: "label", textContent: text, title: text }),
    line,
  );
  Object.assign(step.dataset, { from, to });
  return step;
}

function round(milliseconds) {
  return Math.max(1, Math.round(milliseconds)).toLocaleString("en");
}
