// What survives a reload: the calls with their pictures, and the form. It stays in this browser, without any key.

const NAME = "twinlens";
const MOST_ENTRIES = 60;
const MOST_BYTES = 300e6;

let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("entries", { keyPath: "id" });
      request.result.createObjectStore("drafts");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/** The outcome of one operation on a store, or undefined where the browser stores nothing. */
async function within(store, mode, operate) {
  try {
    const database = await open();
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = operate(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } catch {
    return undefined;
  }
}

/** All entries that are kept, the oldest first. */
export const readEntries = async () => (await within("entries", "readonly", (store) => store.getAll())) ?? [];

/** Keeps an entry as it is now. */
export const keepEntry = (entry) => within("entries", "readwrite", (store) => store.put(storable(entry)));

/** Removes an entry. */
export const removeEntry = (entry) => within("entries", "readwrite", (store) => store.delete(entry.id));

/** Removes everything. */
export const clearEntries = () => within("entries", "readwrite", (store) => store.clear());

/** The form as it was left, or undefined. */
export const readDraft = () => within("drafts", "readonly", (store) => store.get("form"));

/** Keeps the form. */
export const keepDraft = (request) => within("drafts", "readwrite", (store) => store.put(withoutKey(request), "form"));

/** The oldest entries that are too many or too large together. */
export function surplusOf(entries) {
  let bytes = 0;
  return entries.toReversed().filter((entry, index) => {
    bytes += sizeOf(entry);
    return index >= MOST_ENTRIES || (index > 0 && bytes > MOST_BYTES);
  });
}

const sizeOf = (entry) =>
  entry.calls
    .flatMap((call) => [...(call.answer?.pictures ?? []), ...call.request.inputs])
    .reduce((sum, { blob }) => sum + (blob?.size ?? 0), 0);

function withoutKey({ key, ...request }) {
  const bare = ({ shown, ...picture }) => picture;
  const turns = request.turns?.map((turn) => ({ ...turn, inputs: turn.inputs.map(bare), picture: bare(turn.picture) }));
  return { ...request, inputs: request.inputs.map(bare), turns };
}

/** An entry as plain data: without keys and the page's own addresses of pictures. */
function storable({ id, number, calls }) {
  return { id, number, calls: calls.map(storableCall) };
}

function storableCall({ request, state, started, seconds, words, answer, failure, exchange, job }) {
  const pictures = answer?.pictures.map(({ shown, ...picture }) => picture);
  const kept = answer && { ...answer, pictures, failures: answer.failures.map(plain) };
  return { request: withoutKey(request), state, started, seconds, words, answer: kept, failure: failure && plain(failure), exchange, job };
}

const plain = (failure) => ({ ...failure, message: failure.message });
