// Calls the public endpoints of either API.
// A request has the form's values:
// surface, key, model, prompt, ratio, size, tier, n, format, response, stream, inputs, mask.

import { Failure, failureOf, failureOfError, failureWithoutPicture } from "./errors.js";

const ANY_KEY = "playground"; // the list of models requires a key and does not check it

/** The page's address without its file, so that it also works under a path. */
export const base = () => new URL(".", location.href).href.replace(/\/$/, "");

/** The first served model, with its aspect ratios, limits and prices. */
export async function readModel() {
  const response = await fetch(`${base()}/v1/models`, { headers: { Authorization: `Bearer ${ANY_KEY}` } });
  if (!response.ok) throw failureOf(response, await response.text());
  return (await response.json()).data[0];
}

/** The fields of an OpenAI request without its pictures. The code on the page is made from them. */
export function openaiFields(request) {
  const fields = { model: request.model, prompt: request.prompt };
  if (request.n > 1) fields.n = request.n;
  if (request.size) fields.size = request.size;
  else if (request.tier) fields.image_size = request.tier;
  if (request.format) fields.output_format = request.format;
  if (request.stream) fields.stream = true;
  else fields.response_format = request.response;
  return fields;
}

/** Google's generationConfig, or null if it would be empty. */
export function geminiConfig(request) {
  const imageConfig = {};
  if (request.ratio) imageConfig.aspectRatio = request.ratio;
  if (request.tier) imageConfig.imageSize = request.tier;
  return Object.keys(imageConfig).length ? { imageConfig } : null;
}

/** The path of the call. */
export function endpoint(request) {
  if (request.surface === "openai") return request.inputs.length ? "/v1/images/edits" : "/v1/images/generations";
  return `/v1beta/models/${request.model}:${request.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
}

/**
 * Sends a request. `onWords` is called with the text that a streaming model sends before its picture.
 * Returns {pictures, words, usage, cost, notes, failures, requestId}; throws a Failure or an AbortError.
 */
export async function generate(request, signal, onWords) {
  const response = await call(request, signal);
  const requestId = response.headers.get("x-request-id") ?? "";
  if (!response.ok) throw failureOf(response, await readText(response, signal));
  const answer = {
    pictures: [],
    words: "",
    usage: null,
    cost: null,
    failures: [],
    requestId,
    notes: notesOf(response),
  };
  const reader = request.surface === "openai" ? openaiReader(answer) : geminiReader(answer, request, onWords);
  if (request.stream) await readEvents(response, signal, reader);
  else reader(parsed(await readText(response, signal), requestId));
  if (!answer.pictures.length) throw noPictureFailure(request, answer);
  answer.pictures = await Promise.all(answer.pictures.map((picture) => loadPicture(picture, signal)));
  return answer;
}

function call(request, signal) {
  const openai = request.surface === "openai";
  const headers = openai ? { Authorization: `Bearer ${request.key}` } : { "x-goog-api-key": request.key };
  const send = async () => {
    const body = openai ? openaiBody(request) : await geminiBody(request);
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    return fetch(base() + endpoint(request), { method: "POST", headers, body, signal });
  };
  return send().catch((error) => {
    throw signal.aborted ? error : new Failure(error.message, { problem: "offline" });
  });
}

function openaiBody(request) {
  const fields = openaiFields(request);
  if (!request.inputs.length) return JSON.stringify(fields);
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const input of request.inputs) form.append("image[]", input.blob, input.name);
  if (request.mask) form.append("mask", request.mask, "mask.png");
  return form;
}

async function geminiBody(request) {
  const pictures = await Promise.all(
    request.inputs.map(async ({ blob, type }) => ({ inlineData: { mimeType: type, data: await toBase64(blob) } })),
  );
  const body = { contents: [{ role: "user", parts: [...pictures, { text: request.prompt }] }] };
  const generationConfig = geminiConfig(request);
  return JSON.stringify(generationConfig ? { ...body, generationConfig } : body);
}

/** What the answer's headers say about the request. */
function notesOf(response) {
  return {
    ignored: response.headers.get("x-twinlens-ignored") ?? "",
    model: response.headers.get("x-twinlens-model") ?? "",
    mask: (response.headers.get("x-twinlens-advisory") ?? "").includes("mask"),
  };
}

function readText(response, signal) {
  return response.text().catch((error) => cutOff(error, response, signal));
}

function cutOff(error, response, signal) {
  if (signal.aborted) throw error;
  const requestId = response.headers.get("x-request-id") ?? "";
  throw new Failure(error.message, { status: response.status, requestId, problem: "cut" });
}

function parsed(text, requestId) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(error.message, { requestId, problem: "broken" });
  }
}

function noPictureFailure(request, answer) {
  if (answer.failures.length) return Object.assign(answer.failures[0], { requestId: answer.requestId });
  return failureWithoutPicture({ ...answer.ended, text: answer.words }, answer.requestId);
}

// ---- reading answers ----

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
  const before = answer.usage ?? { input: 0, output: 0, total: 0 };
  answer.usage = {
    input: before.input + usage.input_tokens,
    output: before.output + usage.output_tokens,
    total: before.total + usage.total_tokens,
  };
  if (typeof usage.cost === "number") answer.cost = (answer.cost ?? 0) + usage.cost;
}

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
  if (part.inlineData) answer.pictures.push({ base64: part.inlineData.data, type: part.inlineData.mimeType });
  else answer.words += part.text ?? "";
}

function pick(object, ...names) {
  return Object.fromEntries(names.filter((name) => object[name]).map((name) => [name, object[name]]));
}

/** The prices in the model list, unless a successor drew. */
const pricesOf = (answer, request) => (answer.notes.model && answer.notes.model !== request.upstream ? null : request.prices);

/** Google reports tokens without prices: the prices are those of the model list. */
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
    if (line.startsWith("data:")) reader(JSON.parse(line.slice(5)));
    return line.startsWith("data:") || line === "" || /^(:|event:|id:|retry:)/.test(line);
  });
  const source = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await source.read().catch((error) => cutOff(error, response, signal));
    if (done) break;
    lines.feed(value);
  }
  const stray = lines.end();
  if (stray.trim()) reader(parsed(stray, response.headers.get("x-request-id") ?? ""));
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
async function loadPicture({ base64, url, type }, signal) {
  const blob = base64 ? fromBase64(base64, type) : await fetchStored(url, signal);
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Failure("The picture cannot be shown by this browser.", { problem: "broken" });
  });
  const picture = { blob, type: blob.type, url: URL.createObjectURL(blob), width: bitmap.width, height: bitmap.height };
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

function toBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
