// Calls the public endpoints of either API and reads their answers: whole, as a stream, or from a job.

import { Failure, failureOf, failureOfError, failureWithoutPicture } from "./errors.js";
import { base, modelNamed } from "./models.js";
import { endpoint, isChat, written } from "./requests.js";

const POLL_TRIES = 5; // to reach a server that runs a job
const LONGEST_SHOWN = 20_000; // characters of a raw answer

/**
 * Sends a request. `on.words` is called with the text that a streaming model sends before its picture, `on.job` with
 * {path} when the server makes the call a job, `on.exchange` with what was sent and received, as text.
 * Returns {pictures, words, usage, cost, notes, failures, requestId}; throws a Failure or an AbortError.
 */
export async function generate(request, signal, on) {
  const { headers, body, text } = await written(request);
  const send = (more) =>
    reached(fetch(base() + endpoint(request), { method: "POST", headers: { ...headers, ...more }, body, signal }), signal);
  const asJob = request.job && !request.stream && !isChat(request) ? { Prefer: "respond-async" } : {};
  let response = await send(asJob);
  if (response.status === 503 && asJob.Prefer && (await isWithoutJobs(response))) response = await send({});
  const exchange = exchangeOf(request, { ...headers, ...asJob }, text);
  return read(response, request, signal, on, exchange);
}

/** Waits for a job that was started before, such as before the page was loaded again. */
export async function resume(job, request, signal, on) {
  const exchange = `GET ${job.path}`;
  const { body, response } = await jobResult(job, request, signal);
  return finished(body, response, request, signal, on, exchange);
}

const reached = (answer, signal) =>
  answer.catch((error) => {
    throw signal.aborted ? error : new Failure(error.message, { problem: "offline" });
  });

/** Whether a server refuses jobs because it has no database to keep them in. */
async function isWithoutJobs(response) {
  return /state_unavailable|STATE_UNAVAILABLE/.test(await response.clone().text());
}

async function read(response, request, signal, on, exchange) {
  on.exchange(`${exchange}\n\n${headOf(response)}`);
  if (!response.ok) {
    const text = await readText(response, signal);
    on.exchange(`${exchange}\n\n${headOf(response)}\n\n${shortened(text)}`);
    throw failureOf(response, text);
  }
  if (request.stream && !isChat(request)) return readStream(response, request, signal, on, exchange);
  const body = parsed(await readText(response, signal), response);
  const path = jobPathOf(response, body);
  if (!path) return finished(body, response, request, signal, on, exchange);
  const job = { path };
  on.job(job);
  const done = await jobResult(job, request, signal);
  return finished(done.body, done.response, request, signal, on, exchange);
}

async function finished(body, response, request, signal, on, exchange) {
  on.exchange(`${exchange}\n\n${headOf(response)}\n\n${shortened(JSON.stringify(body, null, 2))}`);
  const answer = emptyAnswer(response);
  readerOf(answer, request, on)(body);
  return withPictures(answer, request, signal);
}

async function readStream(response, request, signal, on, exchange) {
  const answer = emptyAnswer(response);
  const reader = readerOf(answer, request, on);
  const events = [];
  await readEvents(response, signal, (body) => {
    events.push(shortened(JSON.stringify(body)));
    on.exchange(`${exchange}\n\n${headOf(response)}\n\n${events.join("\n\n").slice(0, LONGEST_SHOWN)}`);
    reader(body);
  });
  return withPictures(answer, request, signal);
}

function emptyAnswer(response) {
  const header = (name) => response.headers.get(name) ?? "";
  return {
    pictures: [],
    words: "",
    usage: null,
    cost: null,
    failures: [],
    requestId: header("x-request-id"),
    upstream: header("x-twinlens-model"),
    notes: { ignored: header("x-twinlens-ignored"), mask: header("x-twinlens-advisory").includes("mask") },
  };
}

const readerOf = (answer, request, on) =>
  isChat(request) ? chatReader(answer) : request.surface === "openai" ? openaiReader(answer) : geminiReader(answer, request, on.words);

async function withPictures(answer, request, signal) {
  if (!answer.pictures.length) throw noPictureFailure(answer);
  answer.pictures = await Promise.all(answer.pictures.map((picture) => loadPicture(picture, signal)));
  return answer;
}

function noPictureFailure(answer) {
  if (answer.failures.length) return Object.assign(answer.failures[0], { requestId: answer.requestId });
  return failureWithoutPicture({ ...answer.ended, text: answer.words }, answer.requestId);
}

// ---- jobs ----

/** Where the job of an answer is polled, or "" if the answer is the result itself. */
function jobPathOf(response, body) {
  if (response.status === 202 && body.id) return `/v1/images/jobs/${encodeURIComponent(body.id)}`;
  return /^models\/[^/]+\/operations\//.test(body.name ?? "") ? `/v1beta/${body.name}` : "";
}

/** The body that the call would have had without a job. A cancelled wait ends the job too. */
async function jobResult(job, request, signal) {
  const credential = request.surface === "openai" ? { Authorization: `Bearer ${request.key}` } : { "x-goog-api-key": request.key };
  const ask = (method, path, headers = {}, more = {}) =>
    fetch(base() + path, { ...more, method, headers: { ...credential, ...headers } });
  const isOpenai = request.surface === "openai";
  signal.addEventListener("abort", () => {
    const ended = isOpenai ? ask("DELETE", job.path) : ask("POST", `${job.path}:cancel`);
    ended.catch(() => {});
  });
  for (let failed = 0; ; ) {
    try {
      const response = await ask("GET", job.path, { Prefer: "wait=30" }, { signal });
      const text = await response.text();
      if (response.status < 500) failed = 0;
      if (response.status >= 400 && response.status < 500) throw failureOf(response, text);
      const state = response.ok ? stateOf(JSON.parse(text)) : {};
      if (state.error) throw Object.assign(failureOfError(state.error), { requestId: response.headers.get("x-request-id") ?? "" });
      if (state.result) return { body: state.result, response };
      if (response.status >= 500) failed += 1;
    } catch (error) {
      if (signal.aborted || error instanceof Failure) throw error;
      failed += 1;
    }
    if (failed >= POLL_TRIES) throw new Failure("", { problem: "offline" });
    await pause(failed ? 1000 * failed : 200, signal);
  }
}

/** {result} or {error} of a job that has ended, in either API's form; {} while it runs. */
function stateOf(body) {
  if (body.object !== "image.job") return body.done ? { result: body.response, error: body.error } : {};
  if (body.status === "completed") return { result: body.result };
  if (body.status === "failed" || body.status === "cancelled") return { error: body.error ?? { message: body.status } };
  return {};
}

const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")), { once: true });
  });

// ---- what was sent and received, as text ----

function exchangeOf(request, headers, text) {
  const shown = { ...headers };
  for (const name of ["Authorization", "x-goog-api-key"])
    if (shown[name] && request.key !== "sandbox") shown[name] = name === "Authorization" ? "Bearer YOUR_KEY" : "YOUR_KEY";
  const lines = Object.entries(shown).map(([name, value]) => `${name}: ${value}`);
  const body = headers["Content-Type"] ? shortened(JSON.stringify(JSON.parse(text), null, 2)) : text;
  return [`POST ${endpoint(request)}`, ...lines, "", body].join("\n");
}

function headOf(response) {
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  return [`${response.status} ${response.statusText}`.trim(), ...lines].join("\n");
}

/** JSON in which the base64 of pictures is shortened. */
const shortened = (text) =>
  text
    .replace(/([A-Za-z0-9+/_-]{60})[A-Za-z0-9+/_-]{200,}={0,2}/g, (whole, start) => `${start}… (${whole.length} characters)`)
    .slice(0, LONGEST_SHOWN);

// ---- reading answers ----

function readText(response, signal) {
  return response.text().catch((error) => cutOff(error, response, signal));
}

function cutOff(error, response, signal) {
  if (signal.aborted) throw error;
  const requestId = response.headers.get("x-request-id") ?? "";
  throw new Failure(error.message, { status: response.status, requestId, problem: "cut" });
}

function parsed(text, response) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(error.message, { requestId: response.headers.get("x-request-id") ?? "", problem: "broken" });
  }
}

/** Reads answers and events: an event is an answer with one picture, whose `b64_json` is at the top level. */
function openaiReader(answer) {
  return (body) => {
    if (body.error) {
      answer.failures.push(failureOfError(body.error));
      return;
    }
    for (const item of body.data ?? [body]) {
      const type = `image/${body.output_format ?? "png"}`;
      if (item.b64_json || item.url) answer.pictures.push({ base64: item.b64_json, url: item.url, type });
      answer.words += item.text ?? "";
    }
    for (const error of body.errors ?? []) answer.failures.push(failureOfError(error));
    if (body.usage) addOpenaiUsage(answer, body.usage);
  };
}

function addOpenaiUsage(answer, usage) {
  answer.usage = sumOf(answer.usage, { input: usage.input_tokens, output: usage.output_tokens, total: usage.total_tokens });
  if (typeof usage.cost === "number") answer.cost = (answer.cost ?? 0) + usage.cost;
}

/** Reads the answer of a chat: the pictures of a message are data URLs. */
function chatReader(answer) {
  return (body) => {
    if (body.error) throw failureOfError(body.error, { requestId: answer.requestId });
    for (const { message } of body.choices ?? []) {
      answer.words += message?.content ?? "";
      for (const { image_url: image } of message?.images ?? []) {
        const [, type, base64] = image.url.match(/^data:([^;,]+);base64,(.*)$/s) ?? [];
        answer.pictures.push(base64 ? { base64, type } : { url: image.url });
      }
    }
    const { prompt_tokens: input, completion_tokens: output, total_tokens: total, cost } = body.usage ?? {};
    if (body.usage) addOpenaiUsage(answer, { input_tokens: input, output_tokens: output, total_tokens: total, cost });
  };
}

/** Tokens of several answers as those of one. */
export const sumOf = (one, other) =>
  one && other
    ? { input: one.input + other.input, output: one.output + other.output, total: one.total + other.total }
    : (one ?? other);

/** Reads answers and the pieces of a stream: a piece is an answer with fewer parts. */
function geminiReader(answer, request, onWords) {
  return (body) => {
    if (body.error) throw failureOfError(body.error, { requestId: answer.requestId });
    for (const candidate of body.candidates ?? []) {
      for (const part of candidate.content?.parts ?? []) readPart(part, answer);
      answer.ended = { ...answer.ended, ...pick(candidate, "finishReason", "finishMessage") };
    }
    answer.ended = { ...answer.ended, ...pick(body.promptFeedback ?? {}, "blockReason", "blockReasonMessage") };
    if (body.usageMetadata) readGoogleUsage(answer, body.usageMetadata, pricesOf(answer, request));
    onWords(answer.words);
  };
}

function readPart(part, answer) {
  if (part.thought) return; // drafts and thinking, not results
  if (part.inlineData) answer.pictures.push({ base64: part.inlineData.data, type: part.inlineData.mimeType, signature: part.thoughtSignature });
  else answer.words += part.text ?? "";
}

function pick(object, ...names) {
  return Object.fromEntries(names.filter((name) => object[name]).map((name) => [name, object[name]]));
}

/** The prices in the model's row, unless a successor drew. */
const pricesOf = (answer, request) =>
  answer.upstream && answer.upstream !== request.upstream ? null : modelNamed(request.model).pricing;

/** Google reports tokens without prices: the prices are those of the model's row. */
function readGoogleUsage(answer, usage, prices) {
  const input = usage.promptTokenCount ?? 0;
  const total = usage.totalTokenCount ?? 0;
  const images = (usage.candidatesTokensDetails ?? [])
    .filter((detail) => detail.modality === "IMAGE")
    .reduce((sum, detail) => sum + detail.tokenCount, 0);
  answer.usage = { input, output: total - input, total };
  if (!prices) return;
  const texts = total - input - images;
  answer.cost = (input * prices.input + texts * prices.text_output + images * prices.image_output) / 1e6;
}

/** Passes the JSON of every server-sent event to the reader. Between events there may be an error as plain JSON. */
async function readEvents(response, signal, reader) {
  const lines = lineReader((line) => {
    if (line.startsWith("data:") && line.slice(5).trim() !== "[DONE]") reader(JSON.parse(line.slice(5)));
    return line.startsWith("data:") || line === "" || /^(:|event:|id:|retry:)/.test(line);
  });
  const source = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await source.read().catch((error) => cutOff(error, response, signal));
    if (done) break;
    lines.feed(value);
  }
  const stray = lines.end();
  if (stray.trim()) reader(parsed(stray, response));
}

/** Splits text into lines. A picture is one line of megabytes, so no text is searched twice. `known` accepts a line. */
function lineReader(known) {
  let pieces = [];
  const stray = [];
  const finish = () => {
    const line = pieces.join("").replace(/\r$/, "");
    pieces = [];
    if (!known(line)) stray.push(line);
  };
  return {
    feed(text) {
      const [first, ...others] = text.split("\n");
      pieces.push(first);
      for (const other of others) {
        finish();
        pieces.push(other);
      }
    },
    end() {
      finish();
      return stray.join("\n");
    },
  };
}

// ---- pictures ----

/** The picture's bytes, from base64 or its URL, and its true pixels. */
async function loadPicture({ base64, url, type, signature }, signal) {
  const blob = base64 ? fromBase64(base64, type) : await fetchStored(url, signal);
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Failure("", { problem: "unshown" });
  });
  const picture = { blob, type: blob.type, width: bitmap.width, height: bitmap.height, signature };
  bitmap.close();
  return picture;
}

/** A stored picture; it is always on this page's server, whatever host its URL names. */
async function fetchStored(url, signal) {
  const response = await fetch(`${base()}/images/${new URL(url).pathname.split("/").pop()}`, { signal });
  if (!response.ok) throw failureOf(response, await response.text());
  return response.blob();
}

function fromBase64(text, type) {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return new Blob([bytes], { type });
}
