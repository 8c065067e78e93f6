// The requests of both APIs, made from the values of the form; the code on the page is made from the same fields.
// A request has: surface, key, model, prompt, ratio, tier, size, resize, n, seed, temperature, format, response, stream,
// inputs, mask, turns. An input is a file ({name, blob, type, width, height}) or an address ({name, address, type}).
// Turns are what was asked and drawn before in a conversation: {prompt, inputs, words, picture}.

/** Whether an input is at an https address, which the model's server opens. */
export const hasAddress = (request) => request.inputs.some((input) => input.address);

/** The fields of an OpenAI request without its pictures. */
export function openaiFields(request) {
  const fields = { model: request.model, prompt: request.prompt };
  if (request.n > 1) fields.n = request.n;
  if (request.size) fields.size = request.size;
  else if (request.tier) fields.image_size = request.tier;
  if (request.resize && request.size) fields.resize = request.resize;
  if (request.seed !== "") fields.seed = Number(request.seed);
  if (request.temperature !== "") fields.temperature = Number(request.temperature);
  if (request.format) fields.output_format = request.format;
  if (request.stream) fields.stream = true;
  else fields.response_format = request.response;
  return fields;
}

/** Google's generationConfig, or null if it would be empty. */
export function geminiConfig(request) {
  const config = {};
  const imageConfig = {};
  if (request.ratio) imageConfig.aspectRatio = request.ratio;
  if (request.tier) imageConfig.imageSize = request.tier;
  if (Object.keys(imageConfig).length) config.imageConfig = imageConfig;
  if (request.seed !== "") config.seed = Number(request.seed);
  if (request.temperature !== "") config.temperature = Number(request.temperature);
  return Object.keys(config).length ? config : null;
}

/** The path of the call. Inputs at addresses travel in JSON, which generations take too. */
export function endpoint(request) {
  if (isChat(request)) return "/v1/chat/completions";
  if (request.surface === "openai")
    return request.inputs.length && !hasAddress(request) ? "/v1/images/edits" : "/v1/images/generations";
  return `/v1beta/models/${request.model}:${request.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
}

/** Whether a request goes on with a conversation through OpenAI's chats; Google's API has turns everywhere. */
export const isChat = (request) => request.surface === "openai" && request.turns?.length > 0;

/** {headers, body} of the call, and `text`: the body as it is shown, with files shortened. */
export async function written(request) {
  if (request.surface === "gemini") {
    const text = JSON.stringify(await geminiBody(request));
    return { headers: { "x-goog-api-key": request.key, "Content-Type": "application/json" }, body: text, text };
  }
  const headers = { Authorization: `Bearer ${request.key}` };
  if (!isChat(request) && request.inputs.length && !hasAddress(request)) return { headers, ...openaiForm(request) };
  const text = JSON.stringify(await (isChat(request) ? chatJson(request) : openaiJson(request)));
  return { headers: { ...headers, "Content-Type": "application/json" }, body: text, text };
}

function openaiForm(request) {
  const body = new FormData();
  const lines = [];
  for (const [name, value] of Object.entries(openaiFields(request))) {
    body.append(name, value);
    lines.push(`${name}: ${value}`);
  }
  const files = request.inputs.map(({ blob, name }) => ["image[]", blob, name]);
  if (request.mask) files.push(["mask", request.mask, "mask.png"]);
  for (const [field, blob, name] of files) {
    body.append(field, blob, name);
    lines.push(`${field}: ${name} (${blob.type}, ${blob.size} bytes)`);
  }
  return { body, text: lines.join("\n") };
}

async function openaiJson(request) {
  const fields = openaiFields(request);
  if (!request.inputs.length) return fields;
  const images = request.inputs.map(async (input) => ({ image_url: input.address ?? (await dataUrl(input.blob)) }));
  const body = { ...fields, images: await Promise.all(images) };
  return request.mask ? { ...body, mask: await dataUrl(request.mask) } : body;
}

/** A conversation: the model's pictures stand in its own messages. */
async function chatJson(request) {
  const { prompt, n, stream, response_format: form, output_format: format, resize, ...fields } = openaiFields(request);
  const shown = async (url) => ({ type: "image_url", image_url: { url: await url } });
  const asked = async (turn) => ({
    role: "user",
    content: [...(await Promise.all(turn.inputs.map((input) => shown(input.address ?? dataUrl(input.blob))))), { type: "text", text: turn.prompt }],
  });
  const messages = [];
  for (const turn of request.turns)
    messages.push(await asked(turn), { role: "assistant", content: turn.words, images: [await shown(dataUrl(turn.picture.blob))] });
  return { ...fields, messages: [...messages, await asked(request)], modalities: ["image", "text"] };
}

async function geminiBody(request) {
  const inline = async (blob, type) => {
    const url = await dataUrl(blob);
    return { inlineData: { mimeType: type, data: url.slice(url.indexOf(",") + 1) } };
  };
  const asked = async ({ inputs, prompt }) => {
    const pictures = inputs.map(({ address, blob, type }) => (address ? { fileData: { fileUri: address, mimeType: type } } : inline(blob, type)));
    return { role: "user", parts: [...(await Promise.all(pictures)), { text: prompt }] };
  };
  const drawn = async ({ words, picture: { blob, type, signature } }) => {
    const part = { ...(await inline(blob, type)), ...(signature ? { thoughtSignature: signature } : {}) };
    return { role: "model", parts: [...(words ? [{ text: words }] : []), part] };
  };
  const contents = [];
  for (const turn of request.turns ?? []) contents.push(await asked(turn), await drawn(turn));
  const body = { contents: [...contents, await asked(request)] };
  const generationConfig = geminiConfig(request);
  return generationConfig ? { ...body, generationConfig } : body;
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
