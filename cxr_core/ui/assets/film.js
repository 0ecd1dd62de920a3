// Codes to grey levels.

// The message of cxr_core/ui/pixels.py: magic, header, table, codes, and a grey plane where there is one.
function unpackFilm(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== "SRF1") throw new Error("not a film");
  const length = view.getUint32(4, true);
  const film = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const count = film.shownRows * film.shownColumns;
  let at = 8 + length;
  const take = (size) => { const part = bytes.slice(at, at + size); at += size; return part; };
  film.table = take(film.levels);
  film.presetTables = film.presets.map(() => take(film.levels));
  const codes = take(count * film.bytesPerCode);
  film.codes = film.bytesPerCode === 1 ? codes : new Uint16Array(codes.buffer);
  film.grey = film.greyPlane ? take(count) : null;
  return film;
}

// Grey level of every code under a window: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT),
// C.11.2.1.3.1 (SIGMOID).
function windowTable(film, center, width) {
  const table = new Uint8Array(film.levels);
  for (let code = 0; code < film.levels; code++) {
    const x = code * film.scale + film.offset;
    let y;
    if (film.voi.function === "SIGMOID") {
      y = 1 / (1 + Math.exp((-4 * (x - center)) / width));
    } else if (film.voi.function === "LINEAR_EXACT") {
      y = (x - center) / width + 0.5;
    } else {
      y = width > 1 ? (x - (center - 0.5)) / (width - 1) + 0.5 : Number(x > center - 0.5);
    }
    y = Math.min(1, Math.max(0, y));
    table[code] = Math.round(255 * (film.inverted ? 1 - y : y));
  }
  return table;
}

// Fill a canvas of the film's size. `table` null: the film as it came, exactly.
function paintFilm(canvas, film, table, invert) {
  if (canvas.width !== film.shownColumns || canvas.height !== film.shownRows) {
    canvas.width = film.shownColumns;
    canvas.height = film.shownRows;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(film.shownColumns, film.shownRows);
  const pixels = new Uint32Array(image.data.buffer);
  const grey = (level) => (0xff000000 | (level << 16) | (level << 8) | level) >>> 0;
  const plane = table === null && film.grey;
  const source = plane ? film.grey : film.codes;
  const levels = plane ? Uint8Array.from({ length: 256 }, (_, i) => i) : table ?? film.table;
  const colours = new Uint32Array(levels.length);
  for (let i = 0; i < levels.length; i++) colours[i] = grey(invert ? 255 - levels[i] : levels[i]);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[source[i]];
  context.putImageData(image, 0, 0);
}

// A picture without a canvas: an 8-bit BMP, for browsers where no canvas can be had.
function filmAsBitmap(film) {
  const stride = (film.shownColumns + 3) & ~3;
  const start = 54 + 1024;
  const bytes = new Uint8Array(start + stride * film.shownRows);
  const head = new DataView(bytes.buffer);
  head.setUint16(0, 0x424d);
  head.setUint32(2, bytes.length, true);
  head.setUint32(10, start, true);
  head.setUint32(14, 40, true);
  head.setInt32(18, film.shownColumns, true);
  head.setInt32(22, -film.shownRows, true); // negative: row 0 on top
  head.setUint16(26, 1, true);
  head.setUint16(28, 8, true);
  for (let level = 0; level < 256; level++) head.setUint32(54 + 4 * level, level * 0x010101, true);
  for (let row = 0; row < film.shownRows; row++) {
    for (let column = 0; column < film.shownColumns; column++) {
      const i = row * film.shownColumns + column;
      bytes[start + row * stride + column] = film.grey ? film.grey[i] : film.table[film.codes[i]];
    }
  }
  return new Blob([bytes], { type: "image/bmp" });
}
