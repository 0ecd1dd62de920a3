// What is measured on the radiograph: lines, the pixel under the pointer, and the scale bar. Rulers: up to two distances
// and their quotient, such as the cardiothoracic ratio. Angle: two lines and the angle between them, as of Cobb. Points
// are in pixels of the original radiograph, integers at pixel centres.

const LEAST_PIXELS = 2; // a shorter line is a click
const SCALE_BAR_PART = 0.25; // of the width of a pane, at most

// The lines of a view that a tool draws; with a third one they begin again.
function linesOf(view, tool) {
  return { measure: view.rulers, angle: view.angle }[tool];
}

function startLine(lines, point) {
  if (lines.length === 2) lines.length = 0;
  lines.push([point, point]);
}

function moveLine(lines, point) {
  if (lines.length) lines[lines.length - 1][1] = point;
}

function endLine(lines) {
  if (lines.length && pixelLength(lines[lines.length - 1]) < LEAST_PIXELS) lines.pop();
}

function clearLines(view) {
  view.rulers.length = view.angle.length = 0;
}

function pixelLength([[x0, y0], [x1, y1]]) {
  return Math.hypot(x1 - x0, y1 - y0);
}

// In mm where the file states a spacing, else in pixels.
function rulerLength(radiograph, [[x0, y0], [x1, y1]]) {
  const [betweenRows, betweenColumns] = radiograph.spacing ?? [1, 1];
  return Math.hypot((x1 - x0) * betweenColumns, (y1 - y0) * betweenRows);
}

function formatLength(radiograph, ruler) {
  const length = rulerLength(radiograph, ruler);
  return radiograph.spacing ? `${length.toFixed(1)} mm` : `${length.toFixed(0)} px`;
}

// One line for the corner: the lengths, what they are measured by, and the quotient of two.
function describeRulers(radiograph, rulers) {
  if (!rulers.length) return "";
  const lengths = rulers.map((ruler, i) => `${i + 1}: ${formatLength(radiograph, ruler)}`).join("   ");
  const by = radiograph.spacing ? ` ${radiograph.spacingText}` : " (no pixel spacing in this file)";
  if (rulers.length < 2) return lengths + by;
  const [first, second] = rulers.map((ruler) => rulerLength(radiograph, ruler));
  return `${lengths}${by}\n1 / 2 = ${(first / second).toFixed(2)}`;
}

// In degrees, at most 90: the lines have no direction. In mm where pixels are not square, so that the angle is true.
function angleBetween(radiograph, lines) {
  const [betweenRows, betweenColumns] = radiograph.spacing ?? [1, 1];
  const [one, other] = lines.map(([[x0, y0], [x1, y1]]) => Math.atan2((y1 - y0) * betweenRows, (x1 - x0) * betweenColumns));
  const degrees = (Math.abs(one - other) * 180) / Math.PI % 180;
  return Math.min(degrees, 180 - degrees);
}

// For the corner and beside the second line.
function describeAngle(radiograph, lines) {
  if (!lines.length) return "";
  return lines.length < 2 ? "angle: draw a second line" : `angle ${angleBetween(radiograph, lines).toFixed(1)}°`;
}

function drawMeasurements(context, radiograph, view, place, ratio) {
  const lengths = view.rulers.map((ruler, i) => `${i + 1}: ${formatLength(radiograph, ruler)}`);
  drawLines(context, view.rulers, lengths, "#ffd166", place, ratio);
  const angle = view.angle.length < 2 ? "" : describeAngle(radiograph, view.angle);
  drawLines(context, view.angle, ["", angle], "#7fe3c4", place, ratio);
}

// Lines with a cross stroke at each end, and the text of each beside its end; outlined, to be seen on bright images.
function drawLines(context, lines, texts, colour, place, ratio) {
  context.save();
  context.font = `600 ${12 * ratio}px sans-serif`;
  context.lineJoin = "round";
  lines.forEach((line, i) => {
    const [[x0, y0], [x1, y1]] = line.map(([x, y]) => place(x, y));
    const along = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [ax, ay] = [(-(y1 - y0) / along) * 6 * ratio, ((x1 - x0) / along) * 6 * ratio];
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    for (const [x, y] of [[x0, y0], [x1, y1]]) {
      context.moveTo(x - ax, y - ay);
      context.lineTo(x + ax, y + ay);
    }
    for (const [style, width] of [["#000", 4], [colour, 1.5]]) {
      context.strokeStyle = style;
      context.lineWidth = width * ratio;
      context.stroke();
    }
    context.strokeStyle = "#000";
    context.lineWidth = 4 * ratio;
    context.fillStyle = colour;
    const at = [x1 + 8 * ratio, y1 - 8 * ratio];
    context.strokeText(texts[i], ...at);
    context.fillText(texts[i], ...at);
  });
  context.restore();
}

// --- pixel under the pointer ---------------------------------------------------------------------

// Row and column, counted from 0, and the value of the pixel at a point of the canvas; "" beside the image.
function describePixel(radiograph, view, point) {
  // the middle of the device pixel, by which the painter chooses what it shows there
  const at = point.map((part) => Math.floor(part) + 0.5);
  const [column, row] = toRadiograph(radiograph, view, at).map(Math.round);
  if (column < 0 || row < 0 || column >= radiograph.columns || row >= radiograph.rows) return "";
  return `row ${row}, column ${column}: ${describeValue(radiograph, row, column)}`;
}

// After the Modality LUT, with its unit where the header states one; from all pixels only, never from reduced ones.
function describeValue(radiograph, row, column) {
  if (!isWhole(radiograph)) return "loading all pixels";
  const { codes, columns, levels, scale, offset, unit, valueNote } = radiograph;
  const value = codes[row * columns + column] * scale + offset;
  // the values are `scale` apart, and of 32 bits: the largest has seven right digits
  const apart = scale ? Math.max(3, 3 - Math.floor(Math.log10(scale))) : 6;
  const largest = Math.max(Math.abs(offset), Math.abs(offset + scale * (levels - 1)), Number.MIN_VALUE);
  const decimals = Math.min(9, apart, Math.max(0, 6 - Math.floor(Math.log10(largest))));
  return [Number(value.toFixed(decimals)), unit, valueNote && `(${valueNote})`].filter((part) => part !== "").join(" ");
}

// --- scale bar -----------------------------------------------------------------------------------

// The longest round length across a pane of this width: {text, width in device pixels}; null where no spacing is known.
function scaleBar(radiograph, view, width) {
  if (!radiograph.spacing) return null;
  const [betweenRows, betweenColumns] = radiograph.spacing;
  const pixelsPerMm = view.zoom / (view.turn[0] ? betweenColumns : betweenRows);
  const most = (SCALE_BAR_PART * width) / pixelsPerMm;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = Number((power * (most >= 5 * power ? 5 : most >= 2 * power ? 2 : 1)).toPrecision(1));
  return { text: `${length} mm ${radiograph.spacingText}`.trim(), width: length * pixelsPerMm };
}

// --- magnifier -----------------------------------------------------------------------------------

// A round lens over the pointer, without overlay: the radiograph under it, enlarged, from its full resolution.
const LENS_RADIUS = 110; // in CSS pixels
const LENS_ZOOM = 2.5;

function drawLens(context, painter, radiograph, view, window_, [x, y], ratio) {
  const radius = Math.round(LENS_RADIUS * ratio);
  const side = 2 * radius;
  const [left, top] = [Math.round(x) - radius, Math.round(y) - radius];
  const enlarged = { ...view, zoom: view.zoom * LENS_ZOOM };
  enlarged.x = Math.round((view.x - x) * LENS_ZOOM) + radius;
  enlarged.y = Math.round((view.y - y) * LENS_ZOOM) + radius;
  const canvas = (painter.canvas ??= document.createElement("canvas"));
  canvas.width = canvas.height = side; // also clears it
  painter.paint(canvas.getContext("2d"), radiograph, enlarged, [0, 0, side, side], window_);
  context.save();
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = "#000";
  context.fill();
  context.clip();
  context.drawImage(canvas, left, top);
  context.lineWidth = 2 * ratio;
  context.strokeStyle = "#56b4e9";
  context.stroke();
  context.restore();
}
