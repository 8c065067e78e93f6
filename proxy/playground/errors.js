// Maps the errors of both APIs to the problems that words.js explains.

import { needsOurKey } from "./models.js";

/** A call that returned no picture, with what the server reported. */
export class Failure extends Error {
  constructor(message, details = {}) {
    super(message);
    Object.assign(this, { status: 0, code: "", param: "", requestId: "", retryAfter: "", problem: "" }, details);
    this.problem ||= problemOf(this);
    if (this.problem === "quota" && needsOurKey) this.problem = "budget";
  }
}

// By OpenAI's `code`, the proxy's `reason` in Google's ErrorInfo, or Google's reasons and status names.
const BY_CODE = {
  invalid_api_key: "key",
  API_KEY_INVALID: "key",
  INVALID_KEY: "key",
  UNAUTHENTICATED: "key",
  MISSING_KEY: "no_key",
  permission_denied: "permission",
  PERMISSION_DENIED: "permission",
  unsupported_country_region_territory: "location",
  LOCATION_NOT_SUPPORTED: "location",
  invalid_image_file: "picture",
  INVALID_IMAGE: "picture",
  model_not_found: "model",
  MODEL_NOT_FOUND: "model",
  NOT_FOUND: "model",
  method_not_supported: "path",
  METHOD_NOT_ALLOWED: "path",
  request_timeout: "slow",
  BODY_TOO_SLOW: "slow",
  request_too_large: "large",
  BODY_TOO_LARGE: "large",
  moderation_blocked: "blocked",
  CONTENT_BLOCKED: "blocked",
  no_image_generated: "no_image",
  NO_IMAGE: "no_image",
  insufficient_quota: "quota",
  QUOTA_EXHAUSTED: "quota",
  rate_limit_exceeded: "rate",
  RESOURCE_EXHAUSTED: "rate",
  server_is_overloaded: "busy",
  OVERLOADED: "busy",
  service_unavailable: "unavailable",
  server_error: "unavailable",
  UNAVAILABLE: "unavailable",
  upstream_timeout: "timeout",
  UPSTREAM_TIMEOUT: "timeout",
  DEADLINE_EXCEEDED: "timeout",
  upstream_error: "broken",
  UPSTREAM_BROKEN: "broken",
  internal_error: "internal",
  idempotency_key_reused: "value",
  IDEMPOTENCY_KEY_REUSED: "value",
  outcome_unknown: "broken",
  job_lost: "unavailable",
  job_cancelled: "value",
  OUTCOME_UNKNOWN: "broken",
  JOB_LOST: "unavailable",
  operator_key_refused: "broken",
  OPERATOR_KEY_REFUSED: "broken",
  state_unavailable: "unavailable",
  STATE_UNAVAILABLE: "unavailable",
};
const BY_STATUS = {
  400: "value",
  401: "key",
  403: "permission",
  404: "path",
  405: "path",
  408: "slow",
  413: "large",
  415: "value",
  429: "rate",
  500: "unavailable",
  502: "broken",
  503: "unavailable",
  504: "timeout",
};
const REFUSALS = new Set([
  "SAFETY",
  "IMAGE_SAFETY",
  "PROHIBITED_CONTENT",
  "IMAGE_PROHIBITED_CONTENT",
  "BLOCKLIST",
  "SPII",
  "RECITATION",
  "IMAGE_RECITATION",
]);

function problemOf({ status, code, message }) {
  if (/unregistered callers|didn't provide an API key/.test(message)) return "no_key";
  if (code === "FAILED_PRECONDITION" && /location/i.test(message)) return "location";
  return BY_CODE[code] ?? BY_STATUS[status] ?? "other";
}

/** The failure that an HTTP answer reports, in either API's format. */
export function failureOf(response, text) {
  const error = errorIn(text);
  const headers = {
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? "",
    retryAfter: response.headers.get("retry-after") ?? "",
  };
  return failureOfError(error ?? { message: text.slice(0, 600) }, headers);
}

/** The failure that an error object describes: of an answer, of a stream, or one of several. */
export function failureOfError(error, headers = {}) {
  const details = Array.isArray(error.details) ? error.details : [];
  const info = details.find((detail) => detail.reason);
  const violation = details.flatMap((detail) => detail.fieldViolations ?? [])[0];
  const usedUp = isQuotaUsedUp(error.message ?? "", details);
  const isGoogle = typeof error.status === "string";
  return new Failure(String(error.message ?? ""), {
    ...headers,
    status: headers.status || (isGoogle ? error.code : 0) || 0,
    code: String((isGoogle ? info?.reason || error.status : (error.code ?? error.type)) ?? ""),
    param: String(error.param ?? violation?.field ?? ""),
    problem: isGoogle && usedUp ? "quota" : googleProblemOf(isGoogle, info, error),
  });
}

/** Google has many reasons; for one without a row here, the status name decides. */
function googleProblemOf(isGoogle, info, error) {
  if (!isGoogle || !info || BY_CODE[info.reason]) return "";
  return BY_CODE[error.status] ?? "";
}

/** Whether the day's quota is used up, or there is none. */
function isQuotaUsedUp(message, details) {
  const violations = details.flatMap((detail) => detail.violations ?? []);
  return violations.some((one) => /per_?day/i.test(one.quotaId ?? "")) || /\blimit: 0\b/.test(message);
}

/** The `error` object of a body; Google wraps some in a list. */
function errorIn(text) {
  try {
    const body = JSON.parse(text);
    const { error } = Array.isArray(body) ? body[0] : body;
    return error && typeof error === "object" ? error : null;
  } catch {
    return null;
  }
}

/** The failure of a 200 from Google without a picture: its reason, and the model's text. */
export function failureWithoutPicture(
  { finishReason, finishMessage, blockReason, blockReasonMessage, text },
  requestId,
) {
  const reason = blockReason || finishReason || "no picture";
  const refused = Boolean(blockReason) || REFUSALS.has(finishReason);
  const message = [reason, blockReasonMessage || finishMessage, text].filter(Boolean).join(": ");
  return new Failure(message, { status: 200, code: reason, requestId, problem: refused ? "blocked" : "no_image" });
}
