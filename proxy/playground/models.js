// What the page knows of its server from the start: the served models, the sandbox, and whose keys are accepted.

import { find } from "./dom.js";

const given = JSON.parse(find("#bootstrap").textContent);
const today = () => new Date().toISOString().slice(0, 10);

export const SANDBOX = "sandbox"; // the key that the sandbox answers
export const models = given.models;
export const sandboxIsOn = given.sandbox;

/** Whether OpenAI's chats are served, in which a picture is changed by words. */
export const chatIsOn = given.chat;

/** Whether a call can run on the server as a job. */
export const jobsAreOn = given.jobs;

/** Whether callers need a key of this service instead of their own of the model's server. */
export const needsOurKey = given.access === "keys";

/** The page's address without its file, so that it also works under a path. */
export const base = () => new URL(".", location.href).href.replace(/\/$/, "");

/** The served model of that name, otherwise the first one. */
export const modelNamed = (id) => models.find((model) => model.id === id) ?? models[0];

/** The name of the server that draws for a model. */
export const serverOf = (model) => model.server || "Google";

/** Whether calls of a model carry the caller's key, so that one must be given. */
export const needsKey = (model) => needsOurKey || model.key === "caller";

/** Whether the announced end of a model has come. */
export const isRetired = (model) => Boolean(model.retired || (model.shutdown_date && model.shutdown_date <= today()));

/** The situations that the sandbox plays for a model, by name. */
export const situationsOf = (model) => (sandboxIsOn ? (given.situations[model.api] ?? []) : []);

/** The budget of a key of this service, or null where there is none or the server does not know such keys. */
export async function readBudget(key) {
  if (!key || key === SANDBOX || !(needsOurKey || key.startsWith("twl_"))) return null;
  try {
    const response = await fetch(`${base()}/v1/key`, { headers: { Authorization: `Bearer ${key}` } });
    const body = response.ok ? await response.json() : {};
    return typeof body.left_usd === "number" && typeof body.budget_usd === "number" ? body : null;
  } catch {
    return null;
  }
}
