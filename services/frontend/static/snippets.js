// Writes a call, as it was made, for curl, fetch or Python, and copies that.

import { build } from "./elements.js";

const LANGUAGES = { curl: writeCurl, fetch: writeFetch, Python: writePython };

/** Buttons that copy the call, and save the file that it posted. */
export function offerCopies(call) {
  const status = build("span");
  status.setAttribute("role", "status");
  const buttons = Object.entries(LANGUAGES).map(([language, write]) => {
    const button = build("button", { type: "button", className: "quiet", textContent: language });
    button.setAttribute("aria-label", `Copy as ${language}`);
    button.addEventListener("click", async () => {
      const isCopied = await copy(write(call)).catch(() => false);
      status.textContent = isCopied ? `Copied. ${explainUse(call, language)}` : "The browser did not allow the copy.";
    });
    return button;
  });
  if (call.sent.file) {
    const button = build("button", { type: "button", className: "quiet", textContent: "Save the file" });
    button.addEventListener("click", () => save(call.sent.file));
    buttons.push(button);
  }
  return build("div", { className: "copy" }, build("span", { textContent: "Copy as" }), ...buttons, status);
}

function explainUse(call, language) {
  const { file } = call.sent;
  if (file) return `It posts the saved file ${nameFile(file)}, until the form expires.`;
  if (language === "fetch") return "Paste it into this page's console: it uses the session cookie.";
  if (!needsToken(call)) return "";
  return "Set ACCESS_TOKEN first: POST /auth/login with a username returns it as access_token. No script can read the session cookie.";
}

/** Whether the browser authenticated the call by the session cookie, which no script can read. */
function needsToken({ sent }) {
  return sent.credentials === "same-origin";
}

function writeCurl(call) {
  const { method, url, sent } = call;
  const { headers = {}, fields = {}, body, file } = sent;
  const lines = [`curl -i -X ${method} ${quote(url.href)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (needsToken(call)) lines.push('-H "Authorization: Bearer $ACCESS_TOKEN"');
  if (body) lines.push(`--data-raw ${quote(JSON.stringify(body))}`);
  for (const [name, value] of Object.entries(fields)) lines.push(`--form-string ${quote(`${name}=${value}`)}`);
  if (file) lines.push(`-F ${quote(`file=@./${nameFile(file)}`)}`);
  return `${lines.join(" \\\n  ")}\n`;
}

/** For a POSIX shell. */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function writeFetch({ method, url, sent }) {
  const { headers, credentials, fields, body, file } = sent;
  if (file) return writeFormFetch({ method, url, fields, file });
  const options = [`method: "${method}"`, `headers: ${format(headers)}`, `credentials: "${credentials}"`];
  if (body) options.push(`body: JSON.stringify(${format(body)})`);
  return send(url, options);
}

function writeFormFetch({ method, url, fields, file }) {
  return `// Choose the saved file ${nameFile(file)}.
const input = Object.assign(document.createElement("input"), { type: "file" });
const chosen = new Promise((resolve) => input.addEventListener("change", resolve));
input.click();
await chosen;
const body = new FormData();
for (const [name, value] of Object.entries(${format(fields)})) body.append(name, value);
body.append("file", input.files[0]);
${send(url, [`method: "${method}"`, "body"])}`;
}

function send(url, options) {
  return `const response = await fetch(${JSON.stringify(url.href)}, {\n  ${options.join(",\n  ")},\n});\nconsole.log(response.status, await response.text());\n`;
}

function writePython(call) {
  const { method, url, sent } = call;
  const { headers, fields, body, file } = sent;
  const imports = needsToken(call) ? "import os\n\nimport requests\n" : "import requests\n";
  const lines = [];
  const options = [];
  if (headers) {
    lines.push(`headers = ${format(headers)}`);
    options.push("headers=headers");
  }
  if (needsToken(call)) lines.push('headers["Authorization"] = "Bearer " + os.environ["ACCESS_TOKEN"]');
  if (body) {
    lines.push(`body = ${format(body)}`);
    options.push("json=body");
  }
  if (file) {
    lines.push(`fields = ${format(fields)}`, `with open(${JSON.stringify(nameFile(file))}, "rb") as file:`);
    options.push("data=fields", 'files={"file": file}');
  }
  const args = [JSON.stringify(method), JSON.stringify(url.href), ...options, "timeout=60"];
  lines.push(`${file ? "    " : ""}response = requests.request(${args.join(", ")})`, "print(response.status_code, response.text)");
  return `${imports}\n${lines.join("\n")}\n`;
}

/** Text and numbers, as JavaScript and Python both write them. */
function format(values) {
  return JSON.stringify(values, null, 2);
}

/** A name that needs no quotes in any of the languages. */
function nameFile({ name }) {
  return name.replace(/[^\w.]/g, "-") || "file";
}

function save(file) {
  const link = build("a", { href: URL.createObjectURL(file), download: nameFile(file) });
  link.click();
  // Firefox and Safari read the file after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Whether the text was copied. Browsers have navigator.clipboard only on HTTPS and localhost. */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const put = (event) => {
    event.preventDefault();
    event.clipboardData.setData("text/plain", text);
  };
  document.addEventListener("copy", put, { once: true });
  const isCopied = document.execCommand("copy");
  document.removeEventListener("copy", put);
  return isCopied;
}
