// The calls of this page, and those of earlier visits: started, filled up, cancelled, kept.
// An entry has one call, or two that run side by side: one for each API.

import { generate, resume, sumOf } from "./answers.js";
import { Failure } from "./errors.js";
import { clearEntries, keepEntry, readEntries, removeEntry, surplusOf } from "./history.js";
import { SANDBOX } from "./models.js";

export const entries = []; // {id, number, calls: [{request, state, started, seconds, words, answer, failure, exchange, job}]}
const running = new Map(); // call -> AbortController

let changed = () => {};
let ended = () => {};

/** Brings back what is kept. `onChange(entry)` is called after every change, `onEnd(entry)` when all its calls ended. */
export async function startCalls({ onChange, onEnd }) {
  changed = onChange;
  ended = onEnd;
  entries.unshift(...(await readEntries()));
  for (const call of entries.flatMap((entry) => entry.calls))
    if (call.state === "running" && !running.has(call)) call.state = call.job ? "waiting" : "lost";
  return entries.at(-1);
}

/** Whether a call runs. */
export const isRunning = () => running.size > 0;

/** The seconds that a call has taken so far, or took. */
export const secondsOf = (call) => (call.state === "running" ? (Date.now() - call.started) / 1000 : call.seconds);

/** The state of an entry: that of its calls, the liveliest first. */
export const stateOf = (entry) =>
  ["running", "done", "waiting", "failed", "cancelled", "lost"].find((state) => entry.calls.some((call) => call.state === state));

/** Starts requests side by side. Returns their entry. */
export function begin(requests) {
  const number = (entries.at(-1)?.number ?? 0) + 1;
  const entry = { id: Date.now(), number, calls: requests.map(newCall) };
  entries.push(entry);
  for (const surplus of surplusOf(entries)) forget(surplus);
  for (const call of entry.calls) run(entry, call, (signal, on) => generate(call.request, signal, on));
  return entry;
}

const newCall = (request) => ({ request: { ...request, sandbox: request.key === SANDBOX }, state: "new", words: "", seconds: 0 });

/** Repeats a call of an entry in its place. */
export function repeat(entry, call, key) {
  Object.assign(call, newCall({ ...call.request, key }), { answer: undefined, failure: undefined, job: undefined });
  run(entry, call, (signal, on) => generate(call.request, signal, on));
}

/** Waits again for the job of a call that an earlier visit started. */
export function fetchJob(entry, call, key) {
  call.request.key = key;
  run(entry, call, (signal, on) => resume(call.job, call.request, signal, on), call.started);
}

/** How many pictures of a call are missing. */
export const missingOf = ({ request, answer }) => (answer ? Math.max(0, request.n - answer.pictures.length) : 0);

/** Asks for the missing pictures of a call again. */
export function fillUp(entry, call, key) {
  const before = call.answer;
  const request = { ...call.request, key, n: missingOf(call) };
  return run(entry, call, async (signal, on) => {
    try {
      const more = await generate(request, signal, on);
      const cost = before.cost === null ? more.cost : before.cost + (more.cost ?? 0);
      return { ...more, pictures: [...before.pictures, ...more.pictures], usage: sumOf(before.usage, more.usage), cost };
    } catch (error) {
      if (signal.aborted) return before;
      return { ...before, failures: [failureOf(error)] };
    }
  });
}

/** Ends all running calls. */
export function stop() {
  for (const controller of running.values()) controller.abort();
}

/** Removes all entries that have ended. */
export function clear() {
  const kept = entries.filter((entry) => stateOf(entry) === "running");
  entries.splice(0, entries.length, ...kept);
  clearEntries().then(() => kept.forEach(keepEntry));
}

function forget(entry) {
  entries.splice(entries.indexOf(entry), 1);
  for (const picture of entry.calls.flatMap((call) => call.answer?.pictures ?? []))
    if (picture.shown) URL.revokeObjectURL(picture.shown);
  removeEntry(entry);
}

async function run(entry, call, act, started = Date.now()) {
  const controller = new AbortController();
  running.set(call, controller);
  Object.assign(call, { state: "running", started, words: "" });
  keepEntry(entry);
  changed(entry);
  try {
    const answer = await act(controller.signal, listenersOf(entry, call));
    end(call, "done", { answer, failure: undefined, fresh: true });
  } catch (error) {
    const failure = failureOf(error);
    if (controller.signal.aborted) end(call, "cancelled", {});
    else if (call.job && failure.problem === "offline") end(call, "waiting", {});
    else end(call, "failed", { failure });
  }
  running.delete(call);
  if (call.state !== "waiting") delete call.job;
  keepEntry(entry);
  changed(entry);
  if (stateOf(entry) !== "running") ended(entry);
}

const listenersOf = (entry, call) => ({
  words: (words) => (call.words = words),
  exchange: (exchange) => (call.exchange = exchange),
  job: (job) => {
    call.job = job;
    keepEntry(entry);
  },
});

function end(call, state, outcome) {
  call.seconds = secondsOf(call);
  Object.assign(call, { state }, outcome);
}

const failureOf = (error) => (error instanceof Failure ? error : new Failure(error.message, { problem: "other" }));
