// What an answer that is no picture means: the words of both APIs, read into the troubles that words.js explains.

/** A call that did not bring a picture, with all that the server told. */
export class Failure extends Error {
  constructor(message, told = {}) {
    super(message);
    Object.assign(this, { status: 0, code: "", param: "", requestId: "", retryAfter: "", trouble: "" }, told);
    this.trouble ||= troubleOf(this);
  }
}

// OpenAI's `code`, the proxy's own `reason` in Google's ErrorInfo, and Google's reasons and status names.
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

function troubleOf({ status, code, message }) {
  if (/unregistered callers|didn't provide an API key/.test(message)) return "no_key";
  if (code === "FAILED_PRECONDITION" && /location/i.test(message)) return "location";
  return BY_CODE[code] ?? BY_STATUS[status] ?? "other";
}

/** The failure that an HTTP answer tells, in whichever dialect. */
export function failureOf(response, text) {
  const told = errorIn(text);
  const headers = {
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? "",
    retryAfter: response.headers.get("retry-after") ?? "",
  };
  return failureOfError(told ?? { message: text.slice(0, 600) }, headers);
}

/** The failure that an error object tells: an answer's, a stream's, or one of several. */
export function failureOfError(error, headers = {}) {
  const details = Array.isArray(error.details) ? error.details : [];
  const info = details.find((detail) => detail.reason);
  const violation = details.flatMap((detail) => detail.fieldViolations ?? [])[0];
  const spent = isSpent(error.message ?? "", details);
  const googles = typeof error.status === "string";
  return new Failure(String(error.message ?? ""), {
    ...headers,
    status: headers.status || (googles ? error.code : 0) || 0,
    code: String((googles ? info?.reason || error.status : (error.code ?? error.type)) ?? ""),
    param: String(error.param ?? violation?.field ?? ""),
    trouble: googles && spent ? "quota" : troubleOfGoogle(googles, info, error),
  });
}

/** Google's reasons are many; one that has no row here is known by its status name. */
function troubleOfGoogle(googles, info, error) {
  if (!googles || !info || BY_CODE[info.reason]) return "";
  return BY_CODE[error.status] ?? "";
}

/** Whether a quota is used up for the day, or was never there. */
function isSpent(message, details) {
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

/** The failure of Google's successful answer without a picture: its reason, and what the model said. */
export function failureWithoutPicture(
  { finishReason, finishMessage, blockReason, blockReasonMessage, text },
  requestId,
) {
  const reason = blockReason || finishReason || "no picture";
  const refused = Boolean(blockReason) || REFUSALS.has(finishReason);
  const message = [reason, blockReasonMessage || finishMessage, text].filter(Boolean).join(": ");
  return new Failure(message, { status: 200, code: reason, requestId, trouble: refused ? "blocked" : "no_image" });
}
