// From codes to the grey levels of the screen, and painting of the visible part of a radiograph. Codes are averaged to
// levels of half the size each, built when first needed; the visible part is sampled from the level that has at least the
// screen's resolution, and then windowed. While only the window changes, the sampled codes are used again.

const pyramids = new WeakMap(); // the array of codes or grey levels -> its levels, finest first

// Level `index` of a plane: {data, rows, columns}; a pixel is the mean of up to 2 x 2 of the level above.
function pyramidLevel(data, rows, columns, index) {
  if (!pyramids.has(data)) pyramids.set(data, [{ data, rows, columns }]);
  const levels = pyramids.get(data);
  while (levels.length <= index) levels.push(halved(levels[levels.length - 1]));
  return levels[index];
}

function halved({ data, rows, columns }) {
  const [halfRows, halfColumns] = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
  const out = new data.constructor(halfRows * halfColumns);
  for (let row = 0; row < halfRows; row++) {
    const upper = 2 * row * columns;
    const lower = Math.min(2 * row + 1, rows - 1) * columns;
    for (let column = 0; column < halfColumns; column++) {
      const left = 2 * column;
      const right = Math.min(left + 1, columns - 1);
      const sum = data[upper + left] + data[upper + right] + data[lower + left] + data[lower + right];
      out[row * halfColumns + column] = (sum + 2) >> 2;
    }
  }
  return { data: out, rows: halfRows, columns: halfColumns };
}

// Which level to sample for a zoom, and whether its pixels are shown as they are.
function chooseLevel(radiograph, zoom) {
  const scale = reduction(radiograph);
  let index = 0;
  while (scale / 2 ** (index + 1) >= zoom * (1 - 1e-9) && index < 8) index += 1;
  return { index, exact: index === 0 && isWhole(radiograph) && zoom >= 1 };
}

// Sent pixels per pixel of the original along an axis: 1, or one over the side of the squares that were averaged.
function reduction({ rows, shownRows, columns, shownColumns }) {
  return Math.max(shownRows / rows, shownColumns / columns);
}

function isWhole(radiograph) {
  return radiograph.shownRows === radiograph.rows && radiograph.shownColumns === radiograph.columns;
}

// For each device pixel along one axis of the screen: offsets of the two pixels of the level beside its centre, and the
// weight of the second. `scale`: pixels of the level per pixel of the original; `sign`: whether the radiograph runs
// along the axis or against it.
function axis({ scale, size, stride }, { start, count, origin, shift, sign, zoom, exact }) {
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const weight = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = scale * sign * ((start + i + 0.5 - origin) / zoom - shift);
    if (exact) {
      first[i] = second[i] = stride * Math.min(size - 1, Math.max(0, Math.floor(at)));
      continue;
    }
    const centre = Math.min(size - 1, Math.max(0, at - 0.5));
    const below = Math.floor(centre);
    first[i] = stride * below;
    second[i] = stride * Math.min(size - 1, below + 1);
    weight[i] = centre - below;
  }
  return { first, second, weight };
}

// Samples and paints one radiograph on one canvas.
class Painter {
  // Paint into `box` (left, top, width, height in canvas pixels) the part of the radiograph that a view shows there.
  paint(context, radiograph, view, box, window_) {
    const grey = window_.isDefault && window_.preset === null && radiograph.grey;
    const data = grey || radiograph.codes;
    const visible = this.visible(radiograph, view, box);
    if (!visible) return;
    const key = [radiograph.sha, radiograph.version, data.length, Boolean(grey), view.zoom, view.x, view.y, view.turn, visible].join();
    if (this.key !== key) this.sample(radiograph, data, view, visible);
    this.key = key;
    const colours = this.colours(radiograph, window_, grey);
    const { sampled, pixels } = this;
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[sampled[i]];
    context.putImageData(this.image, visible[0], visible[1]);
  }

  visible(radiograph, view, [left, top, width, height]) {
    const size = turned(radiograph, view.turn);
    const x0 = Math.max(left, view.x);
    const y0 = Math.max(top, view.y);
    const x1 = Math.min(left + width, Math.round(view.x + view.zoom * size.width));
    const y1 = Math.min(top + height, Math.round(view.y + view.zoom * size.height));
    return x1 > x0 && y1 > y0 ? [x0, y0, x1 - x0, y1 - y0] : null;
  }

  sample(radiograph, data, view, [left, top, width, height]) {
    const { index, exact } = chooseLevel(radiograph, view.zoom);
    const level = pyramidLevel(data, radiograph.shownRows, radiograph.shownColumns, index);
    const step = 2 ** index;
    const scale = reduction(radiograph) / step;
    const columns = { scale, size: level.columns, stride: 1 };
    const rows = { scale, size: level.rows, stride: level.columns };
    const [a, b, c, d] = view.turn;
    const shift = turned(radiograph, view.turn);
    const { zoom } = view;
    const across = axis(a ? columns : rows, { start: left, count: width, origin: view.x, shift: shift.left, sign: a || b, zoom, exact });
    const down = axis(d ? rows : columns, { start: top, count: height, origin: view.y, shift: shift.top, sign: d || c, zoom, exact });
    this.reserve(data, width, height);
    if (exact) copyPixels(level.data, this.sampled, across, down);
    else interpolate(level.data, this.sampled, across, down);
  }

  reserve(data, width, height) {
    if (this.image?.width !== width || this.image?.height !== height) {
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    if (this.sampled?.length !== width * height || this.sampled.constructor !== data.constructor) {
      this.sampled = new data.constructor(width * height);
    }
  }

  // The colour of each code under a window. The default rendering is that of the server, exactly.
  colours(radiograph, window_, grey) {
    const { isDefault, preset, center, width, invert } = window_;
    const key = [radiograph.sha, radiograph.version, Boolean(grey), isDefault, preset, center, width, invert].join();
    if (this.coloursKey === key) return this.coloursOf;
    let levels;
    if (grey) levels = Uint8Array.from({ length: 256 }, (_, i) => i);
    else if (preset !== null) levels = radiograph.presetTables[preset];
    else levels = isDefault ? radiograph.table : windowTable(radiograph, center, width);
    const colours = new Uint32Array(levels.length);
    const flip = invert ? 255 : 0;
    for (let i = 0; i < levels.length; i++) colours[i] = 0xff000000 | ((levels[i] ^ flip) * 0x010101);
    this.coloursKey = key;
    this.coloursOf = colours;
    return colours;
  }
}

function copyPixels(data, out, across, down) {
  const width = across.first.length;
  for (let y = 0, at = 0; y < down.first.length; y++) {
    const row = down.first[y];
    for (let x = 0; x < width; x++, at++) out[at] = data[row + across.first[x]];
  }
}

function interpolate(data, out, across, down) {
  const { first, second, weight } = across;
  const width = first.length;
  for (let y = 0, at = 0; y < down.first.length; y++) {
    const upper = down.first[y];
    const lower = down.second[y];
    const w = down.weight[y];
    for (let x = 0; x < width; x++, at++) {
      const l = first[x];
      const r = second[x];
      const v = weight[x];
      const above = data[upper + l] + (data[upper + r] - data[upper + l]) * v;
      const below = data[lower + l] + (data[lower + r] - data[lower + l]) * v;
      out[at] = above + (below - above) * w + 0.5;
    }
  }
}

// --- grey levels ---------------------------------------------------------------------------------

// Grey level of every code under a window: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT),
// C.11.2.1.3.1 (SIGMOID).
function windowTable(radiograph, center, width) {
  const table = new Uint8Array(radiograph.levels);
  for (let code = 0; code < radiograph.levels; code++) {
    const x = code * radiograph.scale + radiograph.offset;
    let y;
    if (radiograph.voi.function === "SIGMOID") {
      y = 1 / (1 + Math.exp((-4 * (x - center)) / width));
    } else if (radiograph.voi.function === "LINEAR_EXACT") {
      y = (x - center) / width + 0.5;
    } else {
      y = width > 1 ? (x - (center - 0.5)) / (width - 1) + 0.5 : Number(x > center - 0.5);
    }
    y = Math.min(1, Math.max(0, y));
    table[code] = Math.round(255 * (radiograph.inverted ? 1 - y : y));
  }
  return table;
}

// An 8-bit BMP of the radiograph, for browsers without canvas.
function radiographAsBitmap(radiograph) {
  const stride = (radiograph.shownColumns + 3) & ~3;
  const start = 54 + 1024;
  const bytes = new Uint8Array(start + stride * radiograph.shownRows);
  const head = new DataView(bytes.buffer);
  head.setUint16(0, 0x424d);
  head.setUint32(2, bytes.length, true);
  head.setUint32(10, start, true);
  head.setUint32(14, 40, true);
  head.setInt32(18, radiograph.shownColumns, true);
  head.setInt32(22, -radiograph.shownRows, true); // negative: row 0 on top
  head.setUint16(26, 1, true);
  head.setUint16(28, 8, true);
  for (let level = 0; level < 256; level++) head.setUint32(54 + 4 * level, level * 0x010101, true);
  for (let row = 0; row < radiograph.shownRows; row++) {
    for (let column = 0; column < radiograph.shownColumns; column++) {
      const i = row * radiograph.shownColumns + column;
      bytes[start + row * stride + column] = radiograph.grey ? radiograph.grey[i] : radiograph.table[radiograph.codes[i]];
    }
  }
  return new Blob([bytes], { type: "image/bmp" });
}
