/**
 * The table of ratios as a picture: a group for each benchmark, a bar for each
 * row, the range of the rounds as a line across its end. Every group has its
 * own scale, from 0 to its largest ratio, with a line where the ratio is 1.
 */

const WIDTH = 1250;
const MARGIN = 24;
const LABEL_WIDTH = 470;
const BAR_WIDTH = 430;
const BAR_LEFT = MARGIN + LABEL_WIDTH + 10;
const TEXT_LEFT = BAR_LEFT + BAR_WIDTH + 14;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const HEADING_HEIGHT = 40;
const AXIS_HEIGHT = 22;
/** Room past the largest ratio. */
const HEADROOM = 1.06;
const FONT = "font-family=\"'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif\"";
const COLOURS = {
  ours: "#1f6fb4",
  other: "#9aa5b1",
  baseline: "#d5dae0",
  grid: "#e3e7eb",
  line: "#3b4754",
  text: "#1d252d",
  soft: "#66717d",
};

/** An SVG document of `results`, which are what bench/results.json holds. */
export function plot({ machine, rounds, seconds, rows }) {
  const parts = [];
  let y = MARGIN + 18;
  parts.push(text(MARGIN, y, "Rampart: ratios measured side by side", { size: 20, weight: "bold" }));
  y += 22;
  const when = `${machine.started.slice(0, 10)}, load before ${machine.loadBefore.toFixed(2)}`;
  const { cpu, cores, kernel, node, revision } = machine;
  const where = `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, revision ${revision}`;
  parts.push(text(MARGIN, y, where, { colour: COLOURS.soft }));
  y += 18;
  const how = `${when}; median of ${rounds} rounds of ${seconds} s, the thin line is their range`;
  parts.push(text(MARGIN, y, how, { colour: COLOURS.soft }));
  y += 26;
  parts.push(legend(y));
  y += 14;
  for (const [benchmark, group] of groups(rows)) {
    // Nothing is compared there.
    if (group.every(isBaseline)) continue;
    y += 14;
    parts.push(text(MARGIN, y + 18, benchmark, { size: 16, weight: "bold" }));
    const direction = group[0].better === "less" ? "a shorter bar is better" : "a longer bar is better";
    parts.push(text(BAR_LEFT, y + 18, `${group[0].unit}, as a ratio; ${direction}`, { colour: COLOURS.soft }));
    y += HEADING_HEIGHT - 10;
    const most = Math.max(1, ...group.map((row) => row.ratioMaximum)) * HEADROOM;
    const scale = BAR_WIDTH / most;
    const bottom = y + group.length * ROW_HEIGHT;
    parts.push(grid(most, scale, y, bottom));
    for (const row of group) {
      parts.push(bar(row, y, scale));
      y += ROW_HEIGHT;
    }
    y += AXIS_HEIGHT;
  }
  const height = Math.ceil(y + MARGIN);
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const background = rectangle(0, 0, WIDTH, height, "#ffffff");
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${FONT}>\n${[background, ...parts].join("\n")}\n</svg>\n`;
}

/** By benchmark, in the order they ran. */
function groups(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.benchmark, [...(found.get(row.benchmark) ?? []), row]);
  return found;
}

function legend(y) {
  const entries = [
    [COLOURS.ours, "Rampart"],
    [COLOURS.other, "others"],
    [COLOURS.baseline, "what the others are compared with"],
  ];
  let x = MARGIN;
  return entries
    .map(([colour, name]) => {
      const entry = rectangle(x, y - 10, 14, 12, colour) + text(x + 20, y, name);
      x += 40 + name.length * 8;
      return entry;
    })
    .join("");
}

/** Lines at round ratios, a dark one at 1, and their numbers underneath. */
function grid(most, scale, top, bottom) {
  const step = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000].find((size) => most / size <= 6) ?? most;
  const marks = new Set([1]);
  for (let at = 0; at <= most; at += step) marks.add(at);
  return [...marks]
    // A number beside the one at 1 could not be read.
    .filter((at) => at === 1 || Math.abs(at - 1) * scale > 24)
    .map((at) => {
      const x = BAR_LEFT + at * scale;
      const mark = line(x, top, x, bottom, at === 1 ? COLOURS.line : COLOURS.grid);
      return mark + text(x, bottom + 14, String(at), { size: 11, anchor: "middle", colour: COLOURS.soft });
    })
    .join("");
}

function bar(row, y, scale) {
  const middle = y + ROW_HEIGHT / 2;
  const colour = isBaseline(row) ? COLOURS.baseline : isOurs(row) ? COLOURS.ours : COLOURS.other;
  const label = isBaseline(row) ? row.contender : `${row.contender} / ${row.baseline}`;
  const weight = isOurs(row) ? "bold" : "normal";
  const parts = [
    text(MARGIN + LABEL_WIDTH, middle + 4, shortened(label), { anchor: "end", weight }),
    rectangle(BAR_LEFT, middle - BAR_HEIGHT / 2, Math.max(1, row.ratio * scale), BAR_HEIGHT, colour),
  ];
  const value = `${number(row.median)} ${row.unit}`;
  if (isBaseline(row)) {
    parts.push(text(TEXT_LEFT + 58, middle + 4, value, { colour: COLOURS.soft }));
  } else {
    parts.push(whisker(BAR_LEFT + row.ratioMinimum * scale, BAR_LEFT + row.ratioMaximum * scale, middle));
    const ratio = text(TEXT_LEFT, middle + 4, row.ratio.toPrecision(3), { weight: "bold" });
    parts.push(ratio, text(TEXT_LEFT + 58, middle + 4, value, { colour: COLOURS.soft }));
  }
  return parts.join("");
}

/** Everything but the peers and the bare network: in some benchmarks all contenders are Rampart's own. */
function isOurs({ contender, benchmark }) {
  return contender.includes("rampart") || ["reload", "memory", "start"].includes(benchmark);
}

function isBaseline({ contender, baseline }) {
  return contender === baseline;
}

function whisker(from, to, y) {
  const ends = [from, to].map((x) => line(x, y - 4, x, y + 4, COLOURS.line));
  return line(from, y, to, y, COLOURS.line) + ends.join("");
}

function line(x1, y1, x2, y2, colour) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="1.2"/>`;
}

function rectangle(x, y, width, height, colour) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${colour}"/>`;
}

function text(x, y, content, { size = 13, weight = "normal", anchor = "start", colour = COLOURS.text } = {}) {
  const attributes = `font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${colour}"`;
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(content)}</text>`;
}

function shortened(label) {
  const most = 60;
  return label.length <= most ? label : `${label.slice(0, most - 1)}…`;
}

function escaped(content) {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}
