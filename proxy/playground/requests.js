// Asks for pictures, through the public endpoints only, in either dialect.
// A shot is what the form says: surface, key, model, prompt, ratio, size, tier, n, format, response, stream, inputs, mask.

import { Failure, failureOf, failureOfError, failureWithoutPicture } from "./errors.js";

const NOBODYS_KEY = "playground"; // the list of models wants a key, and looks at none

/** The page's own address without its file, so that it works below a path too. */
export const base = () => new URL(".", location.href).href.replace(/\/$/, "");

/** The first model that is served, with its shapes, limits and prices. */
export async function readModel() {
  const response = await fetch(`${base()}/v1/models`, { headers: { Authorization: `Bearer ${NOBODYS_KEY}` } });
  if (!response.ok) throw failureOf(response, await response.text());
  return (await response.json()).data[0];
}

/** The fields of an OpenAI request, pictures aside. The code that the page shows is written from them. */
export function openaiFields(shot) {
  const fields = { model: shot.model, prompt: shot.prompt };
  if (shot.n > 1) fields.n = shot.n;
  if (shot.size) fields.size = shot.size;
  else if (shot.tier) fields.image_size = shot.tier;
  if (shot.format) fields.output_format = shot.format;
  if (shot.stream) fields.stream = true;
  else fields.response_format = shot.response;
  return fields;
}

/** Google's generationConfig, if there is anything to say in it. */
export function geminiConfig(shot) {
  const imageConfig = {};
  if (shot.ratio) imageConfig.aspectRatio = shot.ratio;
  if (shot.tier) imageConfig.imageSize = shot.tier;
  return Object.keys(imageConfig).length ? { imageConfig } : null;
}

/** The path of the call, for the eye and for the code. */
export function endpoint(shot) {
  if (shot.surface === "openai") return shot.inputs.length ? "/v1/images/edits" : "/v1/images/generations";
  return `/v1beta/models/${shot.model}:${shot.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
}

/**
 * Takes the pictures of a shot. `onWords` hears what a streaming model says before its picture.
 * Returns {pictures, words, usage, cost, notes, failures, requestId}; throws a Failure, or an AbortError.
 */
export async function take(shot, signal, onWords) {
  const response = await call(shot, signal);
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
  const reader = shot.surface === "openai" ? openaiReader(answer) : geminiReader(answer, shot, onWords);
  if (shot.stream) await readEvents(response, signal, reader);
  else reader(parsed(await readText(response, signal), requestId));
  if (!answer.pictures.length) throw withoutPicture(shot, answer);
  answer.pictures = await Promise.all(answer.pictures.map((picture) => develop(picture, signal)));
  return answer;
}

function call(shot, signal) {
  const openai = shot.surface === "openai";
  const headers = openai ? { Authorization: `Bearer ${shot.key}` } : { "x-goog-api-key": shot.key };
  const send = async () => {
    const body = openai ? openaiBody(shot) : await geminiBody(shot);
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    return fetch(base() + endpoint(shot), { method: "POST", headers, body, signal });
  };
  return send().catch((error) => {
    throw signal.aborted ? error : new Failure(error.message, { trouble: "offline" });
  });
}

function openaiBody(shot) {
  const fields = openaiFields(shot);
  if (!shot.inputs.length) return JSON.stringify(fields);
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const input of shot.inputs) form.append("image[]", input.blob, input.name);
  if (shot.mask) form.append("mask", shot.mask, "mask.png");
  return form;
}

async function geminiBody(shot) {
  const pictures = await Promise.all(
    shot.inputs.map(async ({ blob, type }) => ({ inlineData: { mimeType: type, data: await toBase64(blob) } })),
  );
  const body = { contents: [{ role: "user", parts: [...pictures, { text: shot.prompt }] }] };
  const generationConfig = geminiConfig(shot);
  return JSON.stringify(generationConfig ? { ...body, generationConfig } : body);
}

/** What the answer's headers say of the request. */
function notesOf(response) {
  return {
    ignored: response.headers.get("x-twinlens-ignored") ?? "",
    mask: (response.headers.get("x-twinlens-advisory") ?? "").includes("mask"),
  };
}

function readText(response, signal) {
  return response.text().catch((error) => cutOff(error, response, signal));
}

function cutOff(error, response, signal) {
  if (signal.aborted) throw error;
  const requestId = response.headers.get("x-request-id") ?? "";
  throw new Failure(error.message, { status: response.status, requestId, trouble: "cut" });
}

function parsed(text, requestId) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(error.message, { requestId, trouble: "broken" });
  }
}

function withoutPicture(shot, answer) {
  if (answer.failures.length) return Object.assign(answer.failures[0], { requestId: answer.requestId });
  const told = { ...answer.ended, text: answer.words };
  return failureWithoutPicture(told, answer.requestId);
}

// ---- reading answers ----

/** Reads whole answers and events alike: an event is an answer with one picture, and has its `b64_json` on top. */
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

/** Reads whole answers and the pieces of a stream alike: a piece is an answer with fewer parts. */
function geminiReader(answer, shot, onWords) {
  return (body) => {
    if (body.error) throw failureOfError(body.error, { requestId: answer.requestId });
    for (const candidate of body.candidates ?? []) {
      for (const part of candidate.content?.parts ?? []) readPart(part, answer);
      answer.ended = { ...answer.ended, ...pick(candidate, "finishReason", "finishMessage") };
    }
    answer.ended = { ...answer.ended, ...pick(body.promptFeedback ?? {}, "blockReason", "blockReasonMessage") };
    if (body.usageMetadata) readGoogleUsage(answer, body.usageMetadata, shot.prices);
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

/** Google tells tokens and no price: the price is the one of the model list. */
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

/** Hands every server-sent event's JSON to the reader as it comes. An error may come as bare JSON between them. */
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

/** Cuts text into lines; a picture is one line of megabytes, so nothing is searched twice. `known` takes a line. */
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

/** The picture's bytes, wherever the answer has put them, and its true pixels. */
async function develop({ base64, url, type }, signal) {
  const blob = base64 ? fromBase64(base64, type) : await fetchStored(url, signal);
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Failure("The picture cannot be shown by this browser.", { trouble: "broken" });
  });
  const picture = { blob, type: blob.type, url: URL.createObjectURL(blob), width: bitmap.width, height: bitmap.height };
  bitmap.close();
  return picture;
}

/** A stored picture; whatever host its URL names, it lies beside this page. */
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
