"use strict";

// Strokes are in units of the drawing, HEIGHT of which are its height.
const HEIGHT = 300;
const WIDTH = 400;
const PEN = 16;
const MARGIN = 30; // around the drawing that is sent: digits must not touch the edge
const STEP = 6; // of the pen that arrow keys move
const SMALLER = 4000; // pixels of the longer side of a picture that is too large to be sent

const element = (id) => document.getElementById(id);
const canvas = element("canvas");
const strokes = []; // each a list of points [x, y]
let picture = null; // {image, background, blob, width, height}: shown instead of the drawing
let pen = null; // {x, y, down}: the pen that keys move
let drawing = null; // the stroke of each pointer that is down
let digits = []; // of the last answer
const saved = new Map(); // labels of corrected digits by their pixels
let model = null;
let sheet = 0; // counts drawings and pictures: an answer to an earlier one is not shown
let version = 0; // counts their changes
let asked = 0; // version of the last request
let asking = false;

// --- the drawing ---------------------------------------------------------------------------

function trace(context, stroke) {
  context.beginPath();
  context.moveTo(...stroke[0]);
  if (stroke.length === 1) context.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
  for (const point of stroke.slice(1)) context.lineTo(...point);
  context.stroke();
}

function usePen(context, color) {
  context.strokeStyle = color;
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
}

function show() {
  const zoom = window.devicePixelRatio || 1;
  const [width, height] = picture ? [picture.width, picture.height] : [WIDTH, HEIGHT];
  canvas.classList.toggle("picture", picture !== null);
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.width = `min(100%, ${(75 * width) / height}vh)`;
  canvas.width = Math.round(canvas.clientWidth * zoom);
  canvas.height = Math.round(canvas.clientHeight * zoom);
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const scale = canvas.width / width;
  context.scale(scale, scale);
  if (picture) {
    if (picture.image) drawPicture(context, picture);
  } else {
    usePen(context, style.getPropertyValue("--ink"));
    for (const stroke of strokes) trace(context, stroke);
  }
  if (picture ? picture.image : digits.length > 1) showBoxes(context, zoom / scale, style);
  if (pen && !picture && document.activeElement === canvas) showPen(context, style);
  const empty = !picture && !strokes.length;
  const isHidden = picture !== null && !picture.image;
  element("hint").textContent = isHidden ? "Your browser cannot show this picture" : "Draw here";
  element("hint").hidden = !isHidden && (!empty || pen !== null);
  element("undo").disabled = picture !== null || !strokes.length;
  element("clear").disabled = empty;
  element("input-title").textContent = picture ? "Picture" : "Drawing";
}

function showBoxes(context, pixel, style) {
  const offset = picture ? 0 : MARGIN;
  context.font = `bold ${15 * pixel}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  for (const { box, label } of digits) {
    const [left, top, right, bottom] = box.map((side) => side - offset);
    const text = label === null ? "×" : String(label);
    context.lineWidth = 2 * pixel;
    context.strokeStyle = style.getPropertyValue("--accent");
    context.setLineDash(label === null ? [6 * pixel, 4 * pixel] : []);
    context.strokeRect(left, top, right - left, bottom - top);
    context.fillStyle = style.getPropertyValue("--accent");
    const above = Math.max(top, 18 * pixel);
    context.fillRect(left - pixel, above - 18 * pixel, context.measureText(text).width + 8 * pixel, 18 * pixel);
    context.fillStyle = style.getPropertyValue("--on-accent");
    context.fillText(text, left + 3 * pixel, above);
  }
  context.setLineDash([]);
}

function showPen(context, style) {
  context.strokeStyle = style.getPropertyValue("--accent");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(pen.x, pen.y, PEN / 2 + 2, 0, 2 * Math.PI);
  if (pen.down) {
    context.fillStyle = context.strokeStyle;
    context.fill();
  }
  context.stroke();
}

function changed() {
  version += 1;
  if (isReadable()) ask();
  else forget();
  show();
}

// The first dot of a stroke would be read as a 0.
function isReadable() {
  const points = strokes.flat();
  const isFar = ([x, y]) => Math.hypot(x - points[0][0], y - points[0][1]) >= PEN;
  return picture !== null || points.some(isFar);
}

function forget() {
  sheet += 1;
  digits = [];
  element("digits").replaceChildren();
  say("Draw a digit, or choose a picture.");
}

function replace(shown) {
  sheet += 1;
  strokes.length = 0;
  drawing = pen = null;
  picture = shown;
  digits = [];
  changed();
}

const clear = () => replace(null);

function undo() {
  if (picture || !strokes.length) return;
  strokes.pop();
  if (pen) pen.down = false;
  changed();
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const scale = WIDTH / canvas.clientWidth;
  return [
    (event.clientX - box.left - canvas.clientLeft) * scale,
    (event.clientY - box.top - canvas.clientTop) * scale,
  ];
}

canvas.addEventListener("pointerdown", (event) => {
  if (picture || drawing || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  pen = null;
  drawing = { id: event.pointerId, stroke: [place(event)] };
  strokes.push(drawing.stroke);
  changed();
});

canvas.addEventListener("pointermove", (event) => {
  if (!drawing || drawing.id !== event.pointerId) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of events.length ? events : [event]) drawing.stroke.push(place(one));
  changed();
});

for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => {
    if (drawing && drawing.id === event.pointerId) drawing = null;
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") clear();
  else if (event.key === "Backspace") undo();
  else if (picture) return;
  else if (event.key === " " || event.key === "Enter") togglePen();
  else if (event.key in ARROWS) movePen(...ARROWS[event.key], event.shiftKey ? 4 : 1);
  else return;
  event.preventDefault();
});

function togglePen() {
  pen = pen || { x: WIDTH / 2, y: HEIGHT / 2, down: false };
  pen.down = !pen.down;
  if (pen.down) strokes.push([[pen.x, pen.y]]);
  if (pen.down) changed();
  else show();
  say(pen.down ? "Pen down." : "Pen up.");
}

function movePen(right, down, times) {
  pen = pen || { x: WIDTH / 2, y: HEIGHT / 2, down: false };
  pen.x = Math.min(WIDTH, Math.max(0, pen.x + right * STEP * times));
  pen.y = Math.min(HEIGHT, Math.max(0, pen.y + down * STEP * times));
  if (pen.down) strokes.at(-1).push([pen.x, pen.y]);
  if (pen.down) changed();
  else show();
}

element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", () => {
  clear();
  canvas.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  }
});
for (const name of ["focus", "blur"]) canvas.addEventListener(name, show);
new ResizeObserver(show).observe(element("sheet"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

// --- pictures ------------------------------------------------------------------------------

// As the server: white behind dark ink on a transparent background, black behind light ink.
function backgroundOf(image) {
  const context = new OffscreenCanvas(256, 256).getContext("2d");
  context.imageSmoothingQuality = "high"; // or thin strokes are lost
  context.drawImage(image, 0, 0, 256, 256);
  const { data } = context.getImageData(0, 0, 256, 256);
  let [light, covered] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    light += (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]) * data[at + 3];
    covered += data[at + 3];
  }
  return light > 128 * covered ? "black" : "white";
}

function drawPicture(context, { image, background, width, height }) {
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0, width, height);
}

async function usePicture(file) {
  const before = (sheet += 1);
  say("Opening the picture.");
  const image = await createImageBitmap(file).catch(() => null); // the server may know the format
  const background = image && backgroundOf(image);
  const limits = model ? model.limits : { bytes: Infinity, pixels: Infinity };
  let [blob, width, height] = [file, image ? image.width : WIDTH, image ? image.height : HEIGHT];
  if (image && (file.size > limits.bytes || width * height > limits.pixels)) {
    const scale = Math.min(1, SMALLER / Math.max(width, height));
    [width, height] = [Math.ceil(width * scale), Math.ceil(height * scale)];
    const smaller = new OffscreenCanvas(width, height);
    drawPicture(smaller.getContext("2d"), { image, background, width, height });
    blob = await smaller.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  }
  if (sheet === before) replace({ image, background, blob, width, height });
}

function useFirst(files) {
  if (files.length) usePicture(files[0]);
  else say("This is not a picture file.");
}

for (const id of ["file", "camera"]) {
  element(id).addEventListener("change", (event) => {
    if (event.target.files.length) usePicture(event.target.files[0]);
    event.target.value = "";
  });
}
document.addEventListener("paste", (event) => {
  useFirst(event.clipboardData.files);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  useFirst(event.dataTransfer.files);
});

// --- the answer ----------------------------------------------------------------------------

function drawingAsBlob() {
  const paper = new OffscreenCanvas(WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN);
  const context = paper.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, paper.width, paper.height);
  context.translate(MARGIN, MARGIN);
  usePen(context, "black");
  for (const stroke of strokes) trace(context, stroke);
  return paper.convertToBlob();
}

// One request at a time, for what there is by then: the server is never behind the pen.
async function ask() {
  if (asking) return;
  asking = true;
  element("digits").ariaBusy = "true";
  while (asked !== version && isReadable()) {
    asked = version;
    const before = sheet;
    if (picture) say("Reading the picture.");
    try {
      const body = picture ? picture.blob : await drawingAsBlob();
      const [answer] = await request("predict?details=true", { method: "POST", body });
      if (sheet === before) showAnswer(answer);
    } catch (error) {
      if (sheet === before) fail(error);
    }
  }
  asking = false;
  element("digits").ariaBusy = "false";
}

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not respond.");
  }
  const content = await response.json().catch(() => ({ error: "The server returned an invalid response." }));
  if (!response.ok) throw new Error(content.error);
  return content;
}

const percent = (share) => `${(100 * share).toFixed(1)}%`;
const nameOf = (digit) => (digit.label === null ? "not a digit" : String(digit.label));

function say(text) {
  const status = element("status");
  status.classList.remove("error");
  if (status.textContent !== text) status.textContent = text;
}

function complain(error) {
  say(error.message);
  element("status").classList.add("error");
}

function fail(error) {
  if (picture && !picture.image) picture = null; // so that one can draw
  digits = [];
  element("digits").replaceChildren();
  complain(error);
  show();
}

function showAnswer(answer) {
  digits = answer.digits;
  const names = digits.map(nameOf);
  const areDigits = digits.every((digit) => digit.label !== null);
  if (!digits.length) say("No digit was found.");
  else if (digits.length > 1) say(`${digits.length} ${areDigits ? "digits" : "shapes"}: ${names.join(", ")}.`);
  else if (digits[0].label === null) say("Not a digit.");
  else say(`${names[0]}, ${percent(digits[0].probability)}.`);
  const before = [...document.querySelectorAll("#digits details")];
  const rows = digits.map((digit, number) => {
    const isOpen = before.length === digits.length ? before[number].open : digits.length === 1;
    return rowOf(digit, isOpen);
  });
  element("digits").replaceChildren(...rows);
  show();
}

function rowOf(digit, isOpen) {
  const row = element("digit").content.firstElementChild.cloneNode(true);
  row.classList.toggle("rejected", digit.label === null);
  const seen = row.querySelector(".seen");
  seen.setAttribute("aria-label", "The image that the network received");
  const image = new ImageData(28, 28);
  digit.pixels.flat().forEach((value, at) => image.data.set([value, value, value, 255], 4 * at));
  seen.getContext("2d").putImageData(image, 0, 0);
  row.querySelector("strong").textContent = nameOf(digit);
  row.querySelector("span").textContent = digit.label === null ? "" : percent(digit.probability);
  row.querySelector("details").open = isOpen;
  const bars = row.querySelector("dl");
  digit.probabilities.forEach((share, code) => {
    const [name, value, bar] = ["dt", "dd", "span"].map((tag) => document.createElement(tag));
    name.textContent = model ? model.classes[code] : code;
    bar.append(document.createElement("span"));
    bar.firstChild.style.width = `${100 * share}%`;
    value.append(bar, percent(share));
    bars.append(name, value);
  });
  if (model && model.keeps_examples) offerCorrection(row, digit);
  return row;
}

// --- corrections, if the server keeps them --------------------------------------------------

function offerCorrection(row, digit) {
  const form = row.querySelector("form");
  const example = JSON.stringify(digit.pixels);
  form.hidden = false;
  if (saved.has(example)) {
    form.replaceChildren(`Saved as ${saved.get(example)}.`);
    return;
  }
  const select = form.querySelector("select");
  select.append(new Option("choose", ""), ...model.classes.map((label) => new Option(label)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const label = select.value;
    try {
      await request("examples", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ label, pixels: digit.pixels }),
      });
      saved.set(example, label);
      form.replaceChildren(`Saved as ${label}.`);
      form.focus();
      say(`The server saved it as ${label}.`);
    } catch (error) {
      complain(error);
    }
  });
}

request("model").then((answer) => {
  model = answer;
  element("keeps").hidden = !model.keeps_examples;
}, fail);
show();
