// Heat maps, contours and the area outside the model input, in coordinates of the original radiograph:
// integers at pixel centres, pixel 0 from -0.5 to 0.5.

const MAP_SIDE = 512; // longest side of the painted map; the browser interpolates linearly between its pixels

// Paint a heat map: one hue, intensity as opacity. Bilinear between cell centres, constant beyond the outer ones.
function paintMap(canvas, radiograph, map, colour) {
  const scale = Math.min(1, MAP_SIDE / Math.max(radiograph.rows, radiograph.columns));
  canvas.width = Math.max(1, Math.round(radiograph.columns * scale));
  canvas.height = Math.max(1, Math.round(radiograph.rows * scale));
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const [[sx, , tx], [, sy, ty]] = map.toOriginal;
  const [left, top, right, bottom] = map.seen;
  const cell = (x, shift, scale, cells) => {
    const u = Math.min(cells - 1, Math.max(0, (x - shift) / scale));
    const first = Math.min(Math.floor(u), Math.max(0, cells - 2));
    return [first, Math.min(first + 1, cells - 1), u - first];
  };
  const across = [];
  for (let i = 0; i < canvas.width; i++) {
    const x = ((i + 0.5) * radiograph.columns) / canvas.width - 0.5;
    across.push(x < left - 0.5 || x > right - 0.5 ? null : cell(x, tx, sx, map.columns));
  }
  for (let j = 0; j < canvas.height; j++) {
    const y = ((j + 0.5) * radiograph.rows) / canvas.height - 0.5;
    if (y < top - 0.5 || y > bottom - 0.5) continue;
    const [r0, r1, fr] = cell(y, ty, sy, map.rows);
    for (let i = 0; i < canvas.width; i++) {
      if (!across[i]) continue;
      const [c0, c1, fc] = across[i];
      const upper = map.intensity[r0 * map.columns + c0] * (1 - fc) + map.intensity[r0 * map.columns + c1] * fc;
      const lower = map.intensity[r1 * map.columns + c0] * (1 - fc) + map.intensity[r1 * map.columns + c1] * fc;
      const at = 4 * (j * canvas.width + i);
      image.data[at] = colour[0];
      image.data[at + 1] = colour[1];
      image.data[at + 2] = colour[2];
      image.data[at + 3] = Math.round(255 * Math.min(1, upper * (1 - fr) + lower * fr));
    }
  }
  context.putImageData(image, 0, 0);
}

function drawContour(context, map, place, colour, thickness) {
  context.strokeStyle = `rgb(${colour.join(",")})`;
  context.lineWidth = thickness;
  context.lineJoin = "round";
  context.beginPath();
  for (const line of map.contour) {
    line.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](...place(x, y)));
  }
  context.stroke();
}

// Shade and hatch the area that was cropped before the model input.
function drawUnseen(context, radiograph, seen, place, thickness) {
  const [left, top, right, bottom] = seen;
  const [x0, y0, x1, y1] = corners(place(-0.5, -0.5), place(radiograph.columns - 0.5, radiograph.rows - 0.5));
  const [a0, b0, a1, b1] = corners(place(left - 0.5, top - 0.5), place(right - 0.5, bottom - 0.5));
  context.save();
  context.beginPath();
  context.rect(x0, y0, x1 - x0, y1 - y0);
  context.rect(a0, b0, a1 - a0, b1 - b0);
  context.clip("evenodd");
  context.fillStyle = "rgba(0, 0, 0, 0.65)";
  context.fillRect(x0, y0, x1 - x0, y1 - y0);
  context.strokeStyle = "rgba(255, 255, 255, 0.28)";
  context.lineWidth = thickness;
  context.beginPath();
  const step = 9 * thickness;
  for (let x = x0 - (y1 - y0); x < x1; x += step) {
    context.moveTo(x, y1);
    context.lineTo(x + (y1 - y0), y0);
  }
  context.stroke();
  context.restore();
}

// Of a rectangle that may be turned: left, top, right, bottom.
function corners([x0, y0], [x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

function everythingSeen(radiograph, seen) {
  return seen[0] <= 0 && seen[1] <= 0 && seen[2] >= radiograph.columns && seen[3] >= radiograph.rows;
}
