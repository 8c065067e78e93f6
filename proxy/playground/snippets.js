// Code that makes the same request. Calls and code are made from the same fields: see requests.js.

import { endpoint, geminiConfig, openaiFields } from "./requests.js";

/** The tabs, with their API and programming language. */
export const TABS = [
  { id: "openai-python", api: "OpenAI", language: "Python", write: openaiPython },
  { id: "openai-node", api: "OpenAI", language: "Node", write: openaiNode },
  { id: "gemini-python", api: "Gemini", language: "Python", write: geminiPython },
  { id: "gemini-node", api: "Gemini", language: "Node", write: geminiNode },
  { id: "curl", api: "", language: "curl", write: curl },
];

/** The code of a tab. `request.base` is the proxy's address; any key but the sandbox's is replaced by a placeholder. */
export function snippet(id, request) {
  const key = request.key === "sandbox" ? "sandbox" : "YOUR_KEY";
  return TABS.find((tab) => tab.id === id).write({ ...request, key });
}

/** The fields of a request that the Gemini API does not support. */
export function unsupported(id, request) {
  if (!id.startsWith("gemini") || request.surface !== "openai") return [];
  return [request.n > 1 && "n", request.mask && "mask", request.format && "output_format"].filter(Boolean);
}

const quote = JSON.stringify; // a string that Python and JavaScript both read
const endingOf = (request) => request.format || "png";

// ---- OpenAI ----

function openaiPython(request) {
  const { image_size: tier, ...fields } = openaiFields(request);
  const called = request.inputs.length ? "edit" : "generate";
  const lines = Object.entries(fields).map(([name, value]) => `    ${name}=${value === true ? "True" : quote(value)},`);
  if (request.inputs.length) lines.splice(2, 0, `    image=[${request.inputs.map(openedPython).join(", ")}],`);
  if (request.mask) lines.splice(3, 0, '    mask=open("mask.png", "rb"),');
  if (tier) lines.push(`    extra_body={"image_size": ${quote(tier)}},`);
  const call = `client.images.${called}(\n${lines.join("\n")}\n)`;
  const imports = request.response === "url" ? "" : "import base64\nfrom pathlib import Path\n\n";
  return `# pip install openai
${imports}from openai import OpenAI

client = OpenAI(
    base_url=${quote(`${request.base}/v1`)},
    api_key=${quote(request.key)},
)
${request.stream ? openaiPythonStream(call, request) : openaiPythonWhole(call, request)}`;
}

const openedPython = ({ name }) => `open(${quote(name)}, "rb")`;

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
  const lines = Object.entries(fields).map(([name, value]) => `  ${name}: ${quote(value)},`);
  if (request.inputs.length) lines.splice(2, 0, `  image: [${request.inputs.map(openedNode).join(", ")}],`);
  if (request.mask) lines.splice(3, 0, '  mask: fs.createReadStream("mask.png"),');
  const call = `await client.images.${request.inputs.length ? "edit" : "generate"}({\n${lines.join("\n")}\n});`;
  const files = request.inputs.length || request.response !== "url";
  return `// npm install openai
${files ? 'import fs from "node:fs";\n' : ""}import OpenAI from "openai";

const client = new OpenAI({
  baseURL: ${quote(`${request.base}/v1`)},
  apiKey: ${quote(request.key)},
});
${request.stream ? openaiNodeStream(call, request) : openaiNodeWhole(call, request)}`;
}

const openedNode = ({ name }) => `fs.createReadStream(${quote(name)})`;

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
  const pictures = request.inputs.map(
    ({ name, type }) => `        types.Part.from_bytes(
            data=Path(${quote(name)}).read_bytes(),
            mime_type=${quote(type)},
        ),\n`,
  );
  const contents = pictures.length
    ? `[\n${pictures.join("")}        ${quote(request.prompt)},\n    ]`
    : quote(request.prompt);
  const config = geminiConfig(request);
  const options = config ? `    config=${pythonConfig(config)},\n` : "";
  const given = `(\n    model=${quote(request.model)},\n    contents=${contents},\n${options})`;
  return `# pip install google-genai
from pathlib import Path

from google import genai
${pictures.length ? "from google.genai import types\n" : ""}
client = genai.Client(
    api_key=${quote(request.key)},
    http_options={"base_url": ${quote(request.base)}},
)
${request.stream ? geminiPythonStream(given) : geminiPythonWhole(given)}`;
}

function pythonConfig({ imageConfig }) {
  const names = { aspectRatio: "aspect_ratio", imageSize: "image_size" };
  const members = Object.entries(imageConfig).map(([name, value]) => `"${names[name]}": ${quote(value)}`);
  return `{\n        "image_config": {${members.join(", ")}},\n    }`;
}

function geminiPythonWhole(given) {
  return `response = client.models.generate_content${given}
for part in response.parts:
    if part.inline_data:
        Path("picture.png").write_bytes(part.inline_data.data)
    elif part.text:
        print(part.text)
usage = response.usage_metadata
print(usage.total_token_count, "tokens")
`;
}

function geminiPythonStream(given) {
  return `stream = client.models.generate_content_stream${given}
for chunk in stream:
    for part in chunk.parts or []:
        if part.inline_data:
            Path("picture.png").write_bytes(part.inline_data.data)
        elif part.text:
            print(part.text, end="", flush=True)
`;
}

function geminiNode(request) {
  const parts = request.inputs.map(
    ({ name, type }) =>
      `    {
      inlineData: {
        mimeType: ${quote(type)},
        data: fs.readFileSync(${quote(name)}, "base64"),
      },
    },\n`,
  );
  const contents = parts.length ? `[\n${parts.join("")}    ${quote(request.prompt)},\n  ]` : quote(request.prompt);
  const config = geminiConfig(request);
  const options = config ? `  config: ${nodeLiteral(config)},\n` : "";
  const given = `({\n  model: ${quote(request.model)},\n  contents: ${contents},\n${options}});`;
  return `// npm install @google/genai
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({
  apiKey: ${quote(request.key)},
  httpOptions: { baseUrl: ${quote(request.base)} },
});
${request.stream ? geminiNodeStream(given) : geminiNodeWhole(given)}`;
}

function nodeLiteral(value) {
  if (typeof value !== "object") return quote(value);
  return `{ ${Object.entries(value)
    .map(([name, inner]) => `${name}: ${nodeLiteral(inner)}`)
    .join(", ")} }`;
}

function geminiNodeWhole(given) {
  return `const response = await ai.models.generateContent${given}
for (const part of response.candidates[0].content.parts) {
  if (part.inlineData) {
    fs.writeFileSync("picture.png", part.inlineData.data, "base64");
  } else if (part.text) {
    console.log(part.text);
  }
}
console.log(response.usageMetadata.totalTokenCount, "tokens");
`;
}

function geminiNodeStream(given) {
  return `const stream = await ai.models.generateContentStream${given}
for await (const chunk of stream) {
  for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
    if (part.inlineData) {
      fs.writeFileSync("picture.png", part.inlineData.data, "base64");
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
  const flags = request.stream ? "curl -N" : "curl";
  return [`${flags} ${shell(request.base + endpoint(request))}`, ...headers.map((header) => `  -H ${shell(header)}`)];
}

function openaiCurl(request) {
  const fields = openaiFields(request);
  const authorization = `Authorization: Bearer ${request.key}`;
  const lines = request.inputs.length
    ? [...curlHead(request, authorization), ...curlForm(request, fields)]
    : [
        ...curlHead(request, authorization, "Content-Type: application/json"),
        `  -d ${shell(JSON.stringify(fields, null, 2))}`,
      ];
  const single = fields.response_format === "b64_json" && request.n === 1;
  return lines.join(" \\\n") + curlEnd(request, '"b64_json":"[^"]*"', single);
}

function curlForm(request, fields) {
  return [
    ...request.inputs.map(({ name }) => `  -F ${shell(`image[]=@${name}`)}`),
    ...(request.mask ? ["  -F 'mask=@mask.png'"] : []),
    ...Object.entries(fields).map(([name, value]) => `  --form-string ${shell(`${name}=${value}`)}`),
  ];
}

function geminiCurl(request) {
  const head = curlHead(request, `x-goog-api-key: ${request.key}`, "Content-Type: application/json");
  const generationConfig = geminiConfig(request);
  const parts = [...request.inputs.map(inlineFile), { text: request.prompt }];
  const body = { contents: [{ parts }], ...(generationConfig ? { generationConfig } : {}) };
  const text = JSON.stringify(body, null, 2);
  const end = curlEnd(request, '"data": "[^"]*"', !request.stream);
  if (!request.inputs.length) return `${[...head, `  -d ${shell(text)}`].join(" \\\n")}${end}`;
  const command = [...head, "  -d @- <<JSON"].join(" \\\n") + end.replace(/\n$/, "");
  return `${command}\n${hereDocument(text, request)}\nJSON\n`;
}

/** A placeholder for a file's base64: control characters, which no prompt can contain unescaped in JSON. */
const inlineFile = ({ type }, index) => ({ inlineData: { mimeType: type, data: `\u0001${index}\u0001` } });

/** Text between `<<JSON` and `JSON`: the shell inserts the files and changes nothing else. */
function hereDocument(text, request) {
  return text
    .replace(/[\\$`]/g, "\\$&")
    .replace(/\\\\u0001(\d+)\\\\u0001/g, (mark, index) => fileInside(request.inputs[index]) ?? mark);
}

const fileInside = (input) => input && `$(base64 < ${shell(input.name)} | tr -d '\\n')`;

/** Saves the picture as a file if the answer has one, otherwise the answer itself. */
function curlEnd(request, pattern, single) {
  if (single)
    return ` \\\n  | grep -o ${shell(pattern)} | cut -d'"' -f4 | base64 --decode > picture.${endingOf(request)}\n`;
  if (request.stream || request.response === "url") return "\n";
  return " \\\n  -o answer.json\n";
}

// ---- highlighting ----

const TOKENS =
  /(#.*|\/\/.*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.|'\\'')*'|`[^`\n]*`)|\b(from|import|for|in|if|elif|else|with|as|await|const|let|new|of|print|True|and|or)\b/g;
const KINDS = ["comment", "string", "keyword"];

/** The code as lines of [kind, text] pieces. */
export function highlightedLines(code) {
  const lines = [[]];
  for (const [kind, text] of tokens(code)) {
    for (const part of text.split(/(?<=\n)/)) {
      lines.at(-1).push([kind, part]);
      if (part.endsWith("\n")) lines.push([]);
    }
  }
  return lines.filter((line) => line.length);
}

function tokens(code) {
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
