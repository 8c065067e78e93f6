// The code that does what the form says. Requests and code are written from the same fields: see requests.js.

import { endpoint, geminiConfig, openaiFields } from "./requests.js";

/** The tabs: which API each speaks, in which language. */
export const TABS = [
  { id: "openai-python", api: "OpenAI", language: "Python", write: openaiPython },
  { id: "openai-node", api: "OpenAI", language: "Node", write: openaiNode },
  { id: "gemini-python", api: "Gemini", language: "Python", write: geminiPython },
  { id: "gemini-node", api: "Gemini", language: "Node", write: geminiNode },
  { id: "curl", api: "", language: "curl", write: curl },
];

/** The code of a tab. `shot.base` is the proxy's address; the key is a placeholder unless it is everybody's. */
export function snippet(id, shot) {
  const key = shot.key === "sandbox" ? "sandbox" : "YOUR_KEY";
  return TABS.find((tab) => tab.id === id).write({ ...shot, key });
}

/** What a form asks for and Gemini's API has no word for. */
export function lacking(id, shot) {
  if (!id.startsWith("gemini") || shot.surface !== "openai") return [];
  return [shot.n > 1 && "n", shot.mask && "mask", shot.format && "output_format"].filter(Boolean);
}

const quote = JSON.stringify; // a string that Python and JavaScript both read
const endingOf = (shot) => shot.format || "png";

// ---- OpenAI ----

function openaiPython(shot) {
  const { image_size: tier, ...fields } = openaiFields(shot);
  const called = shot.inputs.length ? "edit" : "generate";
  const lines = Object.entries(fields).map(([name, value]) => `    ${name}=${value === true ? "True" : quote(value)},`);
  if (shot.inputs.length) lines.splice(2, 0, `    image=[${shot.inputs.map(openedPython).join(", ")}],`);
  if (shot.mask) lines.splice(3, 0, '    mask=open("mask.png", "rb"),');
  if (tier) lines.push(`    extra_body={"image_size": ${quote(tier)}},`);
  const call = `client.images.${called}(\n${lines.join("\n")}\n)`;
  const imports = shot.response === "url" ? "" : "import base64\nfrom pathlib import Path\n\n";
  return `# pip install openai
${imports}from openai import OpenAI

client = OpenAI(
    base_url=${quote(`${shot.base}/v1`)},
    api_key=${quote(shot.key)},
)
${shot.stream ? openaiPythonStream(call, shot) : openaiPythonWhole(call, shot)}`;
}

const openedPython = ({ name }) => `open(${quote(name)}, "rb")`;

function openaiPythonWhole(call, shot) {
  return `response = ${call}
${shot.response === "url" ? openaiPythonUrls(shot) : openaiPythonFiles(shot)}
print(response.usage.total_tokens, "tokens")
`;
}

function openaiPythonUrls(shot) {
  return shot.n === 1 ? "print(response.data[0].url)" : "for picture in response.data:\n    print(picture.url)";
}

function openaiPythonFiles(shot) {
  if (shot.n === 1)
    return `picture = response.data[0]
data = base64.b64decode(picture.b64_json)
Path("picture.${endingOf(shot)}").write_bytes(data)`;
  return `for number, picture in enumerate(response.data, 1):
    data = base64.b64decode(picture.b64_json)
    Path(f"picture-{number}.${endingOf(shot)}").write_bytes(data)`;
}

function openaiPythonStream(call, shot) {
  return `stream = ${call}
number = 0
for event in stream:
    if event.type.endswith(".completed"):
        number += 1
        data = base64.b64decode(event.b64_json)
        Path(f"picture-{number}.${endingOf(shot)}").write_bytes(data)
`;
}

function openaiNode(shot) {
  const fields = openaiFields(shot);
  const lines = Object.entries(fields).map(([name, value]) => `  ${name}: ${quote(value)},`);
  if (shot.inputs.length) lines.splice(2, 0, `  image: [${shot.inputs.map(openedNode).join(", ")}],`);
  if (shot.mask) lines.splice(3, 0, '  mask: fs.createReadStream("mask.png"),');
  const call = `await client.images.${shot.inputs.length ? "edit" : "generate"}({\n${lines.join("\n")}\n});`;
  const files = shot.inputs.length || shot.response !== "url";
  return `// npm install openai
${files ? 'import fs from "node:fs";\n' : ""}import OpenAI from "openai";

const client = new OpenAI({
  baseURL: ${quote(`${shot.base}/v1`)},
  apiKey: ${quote(shot.key)},
});
${shot.stream ? openaiNodeStream(call, shot) : openaiNodeWhole(call, shot)}`;
}

const openedNode = ({ name }) => `fs.createReadStream(${quote(name)})`;

function openaiNodeWhole(call, shot) {
  return `const response = ${call}
${shot.response === "url" ? openaiNodeUrls(shot) : openaiNodeFiles(shot)}
console.log(response.usage.total_tokens, "tokens");
`;
}

function openaiNodeUrls(shot) {
  if (shot.n === 1) return "console.log(response.data[0].url);";
  return "for (const picture of response.data) {\n  console.log(picture.url);\n}";
}

function openaiNodeFiles(shot) {
  if (shot.n === 1)
    return `const [picture] = response.data;
const data = Buffer.from(picture.b64_json, "base64");
fs.writeFileSync("picture.${endingOf(shot)}", data);`;
  return `for (const [index, picture] of response.data.entries()) {
  const data = Buffer.from(picture.b64_json, "base64");
  fs.writeFileSync(\`picture-\${index + 1}.${endingOf(shot)}\`, data);
}`;
}

function openaiNodeStream(call, shot) {
  return `const stream = ${call}
let number = 0;
for await (const event of stream) {
  if (event.type.endsWith(".completed")) {
    number += 1;
    const data = Buffer.from(event.b64_json, "base64");
    fs.writeFileSync(\`picture-\${number}.${endingOf(shot)}\`, data);
  }
}
`;
}

// ---- Gemini ----

function geminiPython(shot) {
  const pictures = shot.inputs.map(
    ({ name, type }) => `        types.Part.from_bytes(
            data=Path(${quote(name)}).read_bytes(),
            mime_type=${quote(type)},
        ),\n`,
  );
  const contents = pictures.length
    ? `[\n${pictures.join("")}        ${quote(shot.prompt)},\n    ]`
    : quote(shot.prompt);
  const config = geminiConfig(shot);
  const options = config ? `    config=${pythonConfig(config)},\n` : "";
  const given = `(\n    model=${quote(shot.model)},\n    contents=${contents},\n${options})`;
  return `# pip install google-genai
from pathlib import Path

from google import genai
${pictures.length ? "from google.genai import types\n" : ""}
client = genai.Client(
    api_key=${quote(shot.key)},
    http_options={"base_url": ${quote(shot.base)}},
)
${shot.stream ? geminiPythonStream(given) : geminiPythonWhole(given)}`;
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

function geminiNode(shot) {
  const parts = shot.inputs.map(
    ({ name, type }) =>
      `    {
      inlineData: {
        mimeType: ${quote(type)},
        data: fs.readFileSync(${quote(name)}, "base64"),
      },
    },\n`,
  );
  const contents = parts.length ? `[\n${parts.join("")}    ${quote(shot.prompt)},\n  ]` : quote(shot.prompt);
  const config = geminiConfig(shot);
  const options = config ? `  config: ${nodeLiteral(config)},\n` : "";
  const given = `({\n  model: ${quote(shot.model)},\n  contents: ${contents},\n${options}});`;
  return `// npm install @google/genai
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({
  apiKey: ${quote(shot.key)},
  httpOptions: { baseUrl: ${quote(shot.base)} },
});
${shot.stream ? geminiNodeStream(given) : geminiNodeWhole(given)}`;
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

function curl(shot) {
  return shot.surface === "openai" ? openaiCurl(shot) : geminiCurl(shot);
}

const shell = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

function curlHead(shot, ...headers) {
  const flags = shot.stream ? "curl -N" : "curl";
  return [`${flags} ${shell(shot.base + endpoint(shot))}`, ...headers.map((header) => `  -H ${shell(header)}`)];
}

function openaiCurl(shot) {
  const fields = openaiFields(shot);
  const authorization = `Authorization: Bearer ${shot.key}`;
  const lines = shot.inputs.length
    ? [...curlHead(shot, authorization), ...curlForm(shot, fields)]
    : [
        ...curlHead(shot, authorization, "Content-Type: application/json"),
        `  -d ${shell(JSON.stringify(fields, null, 2))}`,
      ];
  return (
    lines.join(" \\\n") + curlEnd(shot, '"b64_json":"[^"]*"', fields.response_format === "b64_json" && shot.n === 1)
  );
}

function curlForm(shot, fields) {
  return [
    ...shot.inputs.map(({ name }) => `  -F ${shell(`image[]=@${name}`)}`),
    ...(shot.mask ? ["  -F 'mask=@mask.png'"] : []),
    ...Object.entries(fields).map(([name, value]) => `  --form-string ${shell(`${name}=${value}`)}`),
  ];
}

function geminiCurl(shot) {
  const head = curlHead(shot, `x-goog-api-key: ${shot.key}`, "Content-Type: application/json");
  const generationConfig = geminiConfig(shot);
  const parts = [...shot.inputs.map(inlineFile), { text: shot.prompt }];
  const body = { contents: [{ parts }], ...(generationConfig ? { generationConfig } : {}) };
  const text = JSON.stringify(body, null, 2);
  const end = curlEnd(shot, '"data": "[^"]*"', !shot.stream);
  if (!shot.inputs.length) return `${[...head, `  -d ${shell(text)}`].join(" \\\n")}${end}`;
  return `${[...head, "  -d @- <<JSON"].join(" \\\n")}${end.replace(/\n$/, "")}\n${hereDocument(text, shot)}\nJSON\n`;
}

/** Where a file's base64 will stand: two marks that no prompt can hold as they are, since JSON escapes them. */
const inlineFile = ({ type }, index) => ({ inlineData: { mimeType: type, data: `\u0001${index}\u0001` } });

/** Text between `<<JSON` and `JSON`: the shell fills in the files and leaves everything else as it is. */
function hereDocument(text, shot) {
  return text
    .replace(/[\\$`]/g, "\\$&")
    .replace(/\\\\u0001(\d+)\\\\u0001/g, (mark, index) => fileInside(shot.inputs[index]) ?? mark);
}

const fileInside = (input) => input && `$(base64 < ${shell(input.name)} | tr -d '\\n')`;

/** What becomes of the answer: a file if there is one picture in it, the answer itself otherwise. */
function curlEnd(shot, pattern, single) {
  if (single)
    return ` \\\n  | grep -o ${shell(pattern)} | cut -d'"' -f4 | base64 --decode > picture.${endingOf(shot)}\n`;
  if (shot.stream || shot.response === "url") return "\n";
  return " \\\n  -o answer.json\n";
}

// ---- colours ----

const TOKENS =
  /(#.*|\/\/.*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.|'\\'')*'|`[^`\n]*`)|\b(from|import|for|in|if|elif|else|with|as|await|const|let|new|of|print|True|and|or)\b/g;
const KINDS = ["comment", "string", "keyword"];

/** The code as lines of pieces, each with the kind of thing it is. */
export function colourfulLines(code) {
  const lines = [[]];
  for (const [kind, text] of colourful(code)) {
    for (const part of text.split(/(?<=\n)/)) {
      lines.at(-1).push([kind, part]);
      if (part.endsWith("\n")) lines.push([]);
    }
  }
  return lines.filter((line) => line.length);
}

function colourful(code) {
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
