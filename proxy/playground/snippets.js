// Code that makes the same request. Calls and code are made from the same fields: see requests.js.

import { endpoint, geminiConfig, hasAddress, openaiFields } from "./requests.js";

/** The tabs, with their API, programming language, installation, and how the code is run. */
export const TABS = [
  { id: "openai-python", api: "OpenAI", language: "Python", write: openaiPython, install: "pip install openai", file: "picture.py", run: "python picture.py" },
  { id: "openai-node", api: "OpenAI", language: "Node", write: openaiNode, install: "npm install openai", file: "picture.mjs", run: "node picture.mjs" },
  { id: "gemini-python", api: "Gemini", language: "Python", write: geminiPython, install: "pip install google-genai", file: "picture.py", run: "python picture.py" },
  { id: "gemini-node", api: "Gemini", language: "Node", write: geminiNode, install: "npm install @google/genai", file: "picture.mjs", run: "node picture.mjs" },
  { id: "curl", api: "", language: "curl", write: curl, install: "" },
];
const OPEN_KEYS = ["sandbox", "playground"]; // keys that are no secrets

/** The code of a tab. `request.base` is the proxy's address; any key but the sandbox's is replaced by a placeholder. */
export function snippet(id, request) {
  const key = OPEN_KEYS.includes(request.key) ? request.key : "YOUR_KEY";
  return TABS.find((tab) => tab.id === id).write({ ...request, key });
}

/** The fields of a request that the Gemini API does not support. */
export function unsupported(id, request) {
  if (!id.startsWith("gemini") || request.surface !== "openai") return [];
  return [request.n > 1 && "n", request.mask && "mask", request.format && "output_format", request.resize && "resize"].filter(Boolean);
}

const quote = JSON.stringify; // a string that Python and JavaScript both read
const endingOf = (request) => (request.surface === "openai" && request.format) || request.native || "png";

// ---- OpenAI ----

const PYTHON_FIELDS = ["model", "prompt", "n", "size", "output_format", "stream", "response_format"]; // that the SDK knows

function openaiPython(request) {
  const fields = openaiFields(request);
  const known = Object.entries(fields).filter(([name]) => PYTHON_FIELDS.includes(name));
  const extra = Object.entries(fields).filter(([name]) => !PYTHON_FIELDS.includes(name)).map(([name, value]) => `${quote(name)}: ${quote(value)}`);
  const edits = request.inputs.length && !hasAddress(request);
  const lines = known.map(([name, value]) => `    ${name}=${value === true ? "True" : quote(value)},`);
  if (edits) lines.splice(2, 0, `    image=[${request.inputs.map(openedPython).join(", ")}],`);
  if (edits && request.mask) lines.splice(3, 0, '    mask=open("mask.png", "rb"),');
  if (hasAddress(request)) extra.push(...pythonImages(request));
  if (extra.length) lines.push(`    extra_body={${extra.join(", ")}},`);
  const call = `client.images.${edits ? "edit" : "generate"}(\n${lines.join("\n")}\n)`;
  const reads = hasAddress(request) && (request.mask || request.inputs.some((input) => !input.address));
  const imports = request.response === "url" && !reads ? "" : "import base64\nfrom pathlib import Path\n\n";
  return `${imports}from openai import OpenAI

client = OpenAI(
    base_url=${quote(`${request.base}/v1`)},
    api_key=${quote(request.key)},
)
${reads ? PYTHON_DATA_URL : ""}${request.stream ? openaiPythonStream(call, request) : openaiPythonWhole(call, request)}`;
}

const PYTHON_DATA_URL = `

def data_url(name, kind):
    data = base64.b64encode(Path(name).read_bytes()).decode()
    return f"data:{kind};base64,{data}"


`;
const openedPython = ({ name }) => `open(${quote(name)}, "rb")`;

function pythonImages(request) {
  const images = request.inputs.map(({ address, name, type }) => `{"image_url": ${address ? quote(address) : `data_url(${quote(name)}, ${quote(type)})`}}`);
  const mask = request.mask ? ['"mask": data_url("mask.png", "image/png")'] : [];
  return [`"images": [${images.join(", ")}]`, ...mask];
}

function openaiPythonWhole(call, request) {
  return `response = ${call}
${request.response === "url" ? openaiPythonUrls(request) : openaiPythonFiles(request)}
print(response.usage.total_tokens, "tokens")
`;
}

function openaiPythonUrls(request) {
  return request.n === 1 ? "print(response.data[0].url)" : "for picture in response.data:\n    print(picture.url)";
}

function openaiPythonFiles(request) {
  if (request.n === 1)
    return `picture = response.data[0]
data = base64.b64decode(picture.b64_json)
Path("picture.${endingOf(request)}").write_bytes(data)`;
  return `for number, picture in enumerate(response.data, 1):
    data = base64.b64decode(picture.b64_json)
    Path(f"picture-{number}.${endingOf(request)}").write_bytes(data)`;
}

function openaiPythonStream(call, request) {
  return `stream = ${call}
number = 0
for event in stream:
    if event.type.endswith(".completed"):
        number += 1
        data = base64.b64decode(event.b64_json)
        Path(f"picture-{number}.${endingOf(request)}").write_bytes(data)
`;
}

function openaiNode(request) {
  const fields = openaiFields(request);
  const edits = request.inputs.length && !hasAddress(request);
  const lines = Object.entries(fields).map(([name, value]) => `  ${name}: ${quote(value)},`);
  if (edits) lines.splice(2, 0, `  image: [${request.inputs.map(openedNode).join(", ")}],`);
  if (edits && request.mask) lines.splice(3, 0, '  mask: fs.createReadStream("mask.png"),');
  if (hasAddress(request)) lines.push(...nodeImages(request));
  const call = `await client.images.${edits ? "edit" : "generate"}({\n${lines.join("\n")}\n});`;
  const reads = hasAddress(request) && (request.mask || request.inputs.some((input) => !input.address));
  const files = edits || reads || request.response !== "url";
  return `${files ? 'import fs from "node:fs";\n' : ""}import OpenAI from "openai";

const client = new OpenAI({
  baseURL: ${quote(`${request.base}/v1`)},
  apiKey: ${quote(request.key)},
});
${reads ? NODE_DATA_URL : ""}${request.stream ? openaiNodeStream(call, request) : openaiNodeWhole(call, request)}`;
}

const NODE_DATA_URL = `const dataUrl = (name, kind) =>
  \`data:\${kind};base64,\${fs.readFileSync(name, "base64")}\`;
`;
const openedNode = ({ name }) => `fs.createReadStream(${quote(name)})`;

function nodeImages(request) {
  const images = request.inputs.map(({ address, name, type }) => `    { image_url: ${address ? quote(address) : `dataUrl(${quote(name)}, ${quote(type)})`} },`);
  const mask = request.mask ? ['  mask: dataUrl("mask.png", "image/png"),'] : [];
  return [`  images: [\n${images.join("\n")}\n  ],`, ...mask];
}

function openaiNodeWhole(call, request) {
  return `const response = ${call}
${request.response === "url" ? openaiNodeUrls(request) : openaiNodeFiles(request)}
console.log(response.usage.total_tokens, "tokens");
`;
}

function openaiNodeUrls(request) {
  if (request.n === 1) return "console.log(response.data[0].url);";
  return "for (const picture of response.data) {\n  console.log(picture.url);\n}";
}

function openaiNodeFiles(request) {
  if (request.n === 1)
    return `const [picture] = response.data;
const data = Buffer.from(picture.b64_json, "base64");
fs.writeFileSync("picture.${endingOf(request)}", data);`;
  return `for (const [index, picture] of response.data.entries()) {
  const data = Buffer.from(picture.b64_json, "base64");
  fs.writeFileSync(\`picture-\${index + 1}.${endingOf(request)}\`, data);
}`;
}

function openaiNodeStream(call, request) {
  return `const stream = ${call}
let number = 0;
for await (const event of stream) {
  if (event.type.endsWith(".completed")) {
    number += 1;
    const data = Buffer.from(event.b64_json, "base64");
    fs.writeFileSync(\`picture-\${number}.${endingOf(request)}\`, data);
  }
}
`;
}

// ---- Gemini ----

function geminiPython(request) {
  const pictures = request.inputs.map(pythonPart);
  const contents = pictures.length
    ? `[\n${pictures.join("")}        ${quote(request.prompt)},\n    ]`
    : quote(request.prompt);
  const config = geminiConfig(request);
  const options = config ? `    config=${pythonConfig(config)},\n` : "";
  const given = `(\n    model=${quote(request.model)},\n    contents=${contents},\n${options})`;
  return `from pathlib import Path

from google import genai
${pictures.length ? "from google.genai import types\n" : ""}
client = genai.Client(
    api_key=${quote(request.key)},
    http_options={"base_url": ${quote(request.base)}},
)
${request.stream ? geminiPythonStream(given, request) : geminiPythonWhole(given, request)}`;
}

function pythonPart({ name, address, type }) {
  const [made, from] = address ? ["from_uri", `file_uri=${quote(address)}`] : ["from_bytes", `data=Path(${quote(name)}).read_bytes()`];
  return `        types.Part.${made}(\n            ${from},\n            mime_type=${quote(type)},\n        ),\n`;
}

function pythonConfig({ imageConfig, seed, temperature }) {
  const names = { aspectRatio: "aspect_ratio", imageSize: "image_size" };
  const members = Object.entries(imageConfig ?? {}).map(([name, value]) => `"${names[name]}": ${quote(value)}`);
  const lines = [
    imageConfig && `        "image_config": {${members.join(", ")}},`,
    seed !== undefined && `        "seed": ${seed},`,
    temperature !== undefined && `        "temperature": ${temperature},`,
  ];
  return `{\n${lines.filter(Boolean).join("\n")}\n    }`;
}

function geminiPythonWhole(given, request) {
  return `response = client.models.generate_content${given}
for part in response.parts:
    if part.inline_data:
        Path("picture.${request.native}").write_bytes(part.inline_data.data)
    elif part.text:
        print(part.text)
usage = response.usage_metadata
print(usage.total_token_count, "tokens")
`;
}

function geminiPythonStream(given, request) {
  return `stream = client.models.generate_content_stream${given}
for chunk in stream:
    for part in chunk.parts or []:
        if part.inline_data:
            Path("picture.${request.native}").write_bytes(part.inline_data.data)
        elif part.text:
            print(part.text, end="", flush=True)
`;
}

function geminiNode(request) {
  const parts = request.inputs.map(nodePart);
  const contents = parts.length ? `[\n${parts.join("")}    ${quote(request.prompt)},\n  ]` : quote(request.prompt);
  const config = geminiConfig(request);
  const options = config ? `  config: ${nodeLiteral(config)},\n` : "";
  const given = `({\n  model: ${quote(request.model)},\n  contents: ${contents},\n${options}});`;
  return `import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({
  apiKey: ${quote(request.key)},
  httpOptions: { baseUrl: ${quote(request.base)} },
});
${request.stream ? geminiNodeStream(given, request) : geminiNodeWhole(given, request)}`;
}

function nodePart({ name, address, type }) {
  const [kind, from] = address ? ["fileData", `fileUri: ${quote(address)}`] : ["inlineData", `data: fs.readFileSync(${quote(name)}, "base64")`];
  return `    {\n      ${kind}: {\n        mimeType: ${quote(type)},\n        ${from},\n      },\n    },\n`;
}

function nodeLiteral(value) {
  if (typeof value !== "object") return quote(value);
  return `{ ${Object.entries(value)
    .map(([name, inner]) => `${name}: ${nodeLiteral(inner)}`)
    .join(", ")} }`;
}

function geminiNodeWhole(given, request) {
  return `const response = await ai.models.generateContent${given}
for (const part of response.candidates[0].content.parts) {
  if (part.inlineData) {
    fs.writeFileSync("picture.${request.native}", part.inlineData.data, "base64");
  } else if (part.text) {
    console.log(part.text);
  }
}
console.log(response.usageMetadata.totalTokenCount, "tokens");
`;
}

function geminiNodeStream(given, request) {
  return `const stream = await ai.models.generateContentStream${given}
for await (const chunk of stream) {
  for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
    if (part.inlineData) {
      fs.writeFileSync("picture.${request.native}", part.inlineData.data, "base64");
    } else if (part.text) {
      process.stdout.write(part.text);
    }
  }
}
`;
}

// ---- curl ----

function curl(request) {
  return request.surface === "openai" ? openaiCurl(request) : geminiCurl(request);
}

const shell = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

function curlHead(request, ...headers) {
  const flags = `curl ${request.stream ? "-N " : ""}-sS --fail-with-body`;
  return [flags, `  ${shell(request.base + endpoint(request))}`, ...headers.map((header) => `  -H ${shell(header)}`)];
}

function openaiCurl(request) {
  const fields = openaiFields(request);
  const authorization = `Authorization: Bearer ${request.key}`;
  const end = curlEnd(request, '"b64_json":"[^"]*"', fields.response_format === "b64_json" && request.n === 1);
  if (request.inputs.length && !hasAddress(request))
    return [...curlHead(request, authorization), ...curlForm(request, fields)].join(" \\\n") + end;
  const images = request.inputs.map((input, index) => ({ image_url: input.address ?? `data:${input.type};base64,${marked(index)}` }));
  const body = { ...fields, ...(images.length ? { images } : {}) };
  if (images.length && request.mask) body.mask = `data:image/png;base64,${marked(request.inputs.length)}`;
  return curlJson(request, curlHead(request, authorization, "Content-Type: application/json"), body, end);
}

/** The parts of a form. A file name is quoted for curl, which would read "," and ";" in it. */
function curlForm(request, fields) {
  const file = (name) => `@"${name.replace(/[\\"]/g, "\\$&")}"`;
  return [
    ...request.inputs.map(({ name }) => `  -F ${shell(`image[]=${file(name)}`)}`),
    ...(request.mask ? ["  -F 'mask=@mask.png'"] : []),
    ...Object.entries(fields).map(([name, value]) => `  --form-string ${shell(`${name}=${value}`)}`),
  ];
}

function geminiCurl(request) {
  const head = curlHead(request, `x-goog-api-key: ${request.key}`, "Content-Type: application/json");
  const generationConfig = geminiConfig(request);
  const pictures = request.inputs.map(({ address, type }, index) =>
    address ? { fileData: { mimeType: type, fileUri: address } } : { inlineData: { mimeType: type, data: marked(index) } },
  );
  const body = { contents: [{ parts: [...pictures, { text: request.prompt }] }], ...(generationConfig ? { generationConfig } : {}) };
  return curlJson(request, head, body, curlEnd(request, '"data": "[^"]*"', !request.stream));
}

/** JSON as an argument, or, where files are inside, as text that the shell completes. */
function curlJson(request, head, body, end) {
  const text = JSON.stringify(body, null, 2);
  if (!text.includes("\\u0001")) return `${[...head, `  -d ${shell(text)}`].join(" \\\n")}${end}`;
  const command = [...head, "  -d @- <<JSON"].join(" \\\n") + end.replace(/\n$/, "");
  return `${command}\n${hereDocument(text, request)}\nJSON\n`;
}

/** A placeholder for a file's base64: control characters, which no prompt can contain unescaped in JSON. */
const marked = (index) => `\u0001${index}\u0001`;

/** Text between `<<JSON` and `JSON`: the shell inserts the files and changes nothing else. */
function hereDocument(text, request) {
  const names = [...request.inputs.map((input) => (input.address ? null : input.name)), request.mask ? "mask.png" : null];
  return text
    .replace(/[\\$`]/g, "\\$&")
    .replace(/\\\\u0001(\d+)\\\\u0001/g, (mark, index) => fileInside(names[index]) ?? mark);
}

const fileInside = (name) => name && `$(base64 < ${shell(name)} | tr -d '\\n')`;

/** Saves the picture as a file if the answer has one, otherwise the answer; an error is shown, and is the result. */
function curlEnd(request, pattern, single) {
  if (request.stream || request.response === "url") return "\n";
  const failed = " \\\n  || { cat answer.json; false; }\n";
  if (!single) return ` \\\n  -o answer.json${failed}`;
  const file = `picture.${endingOf(request)}`;
  return ` \\
  -o answer.json \\
  && grep -o ${shell(pattern)} answer.json | cut -d'"' -f4 \\
  | base64 --decode > ${file} && test -s ${file}${failed}`;
}

// ---- highlighting ----

const TOKENS =
  /(#.*|\/\/.*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.|'\\'')*'|`[^`\n]*`)|\b(from|import|for|in|if|elif|else|with|as|await|const|let|new|of|print|True|and|or)\b/g;
const KINDS = ["comment", "string", "keyword"];

/** The code as pieces: [kind, text]. */
export function tokens(code) {
  const pieces = [];
  let end = 0;
  for (const match of code.matchAll(TOKENS)) {
    pieces.push(["", code.slice(end, match.index)]);
    pieces.push([KINDS[match.slice(1).findIndex((group) => group !== undefined)], match[0]]);
    end = match.index + match[0].length;
  }
  pieces.push(["", code.slice(end)]);
  return pieces.filter(([, text]) => text);
}
