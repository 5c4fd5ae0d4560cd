/** All rows in one table, for people. */

const COLUMNS = [
  { title: "benchmark", text: (row) => row.benchmark },
  { title: "contender", text: (row) => row.contender },
  { title: "median", text: (row) => number(row.median), right: true },
  { title: "unit", text: (row) => row.unit },
  { title: "range", text: (row) => (row.minimum === row.maximum ? "" : `${number(row.minimum)} to ${number(row.maximum)}`) },
  { title: "ratio", text: (row) => row.ratio.toPrecision(3), right: true },
  { title: "to", text: (row) => row.baseline },
  { title: "note", text: (row) => row.note },
];

export function printTable(rows) {
  const lines = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map(({ text }) => text(row)))];
  const widths = COLUMNS.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  for (const line of lines) {
    const cells = line.map((cell, at) => (COLUMNS[at].right ? cell.padStart(widths[at]) : cell.padEnd(widths[at])));
    console.log(cells.join("  ").trimEnd());
  }
}

function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}
