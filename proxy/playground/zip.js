// A ZIP archive of files that are compressed already (PKWARE APPNOTE 6.3.10; method 0, names in UTF-8).

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Numbers in little-endian order: pairs of a value and its size in bytes. */
function packed(...pairs) {
  const bytes = [];
  for (const [value, size] of pairs) for (let place = 0; place < size; place += 1) bytes.push((value >>> (8 * place)) & 0xff);
  return Uint8Array.from(bytes);
}

const DATE = 0x21; // 1980-01-01: the archive does not say when its pictures were made

/** A Blob with all files: [{name, blob}, ...]. */
export async function zipOf(files) {
  const bodies = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const title = new TextEncoder().encode(name);
    const common = [[20, 2], [0x0800, 2], [0, 2], [0, 2], [DATE, 2], [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [title.length, 2], [0, 2]];
    const header = packed([0x04034b50, 4], ...common);
    bodies.push(header, title, bytes);
    directory.push(packed([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), title);
    offset += header.length + title.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([0x06054b50, 4], [0, 4], [files.length, 2], [files.length, 2], [size, 4], [offset, 4], [0, 2]);
  return new Blob([...bodies, ...directory, end], { type: "application/zip" });
}
