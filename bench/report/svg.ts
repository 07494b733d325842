// Plots as SVG text, without a library: bars with whiskers, stacked bars, lines. Colours come from
// CSS classes of the page.

export type Bar = {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
};

const WIDTH = 860;
const LABEL = 190;
const ROW = 24;
const PLOT = WIDTH - LABEL - 110;

/** Horizontal bars from the largest value of the scale; `unit` follows each number. */
export function barPlot(bars: readonly Bar[], unit: string): string {
  const largest = Math.max(1e-9, ...bars.map(({ max }) => max));
  const x = (value: number): number => LABEL + (value / largest) * PLOT;
  const rows = bars.map(({ label, value, min, max }, index) => {
    const y = index * ROW;
    const middle = y + 10;
    return [
      text(LABEL - 8, y + 14, label, "end"),
      `${rectangle(0, { x: LABEL, y: y + 2, width: x(value) - LABEL })}</rect>`,
      `<path class="whisker" d="M${x(min).toFixed(1)} ${middle}H${x(max).toFixed(1)}"/>`,
      text(x(max) + 6, y + 14, `${compact(value)} ${unit}`, "start"),
    ].join("");
  });
  return svg(bars.length * ROW, rows.join("\n"));
}

export type Stack = { readonly label: string; readonly parts: Readonly<Record<string, number>> };

export function stackPlot(
  stacks: readonly Stack[],
  roles: readonly string[],
  unit: string,
): string {
  const totalOf = ({ parts }: Stack): number =>
    roles.reduce((sum, role) => sum + (parts[role] ?? 0), 0);
  const largest = Math.max(1e-9, ...stacks.map(totalOf));
  const rows = stacks.map((stack, index) => {
    const y = index * ROW;
    let x = LABEL;
    const pieces = roles.map((role, colour) => {
      const width = ((stack.parts[role] ?? 0) / largest) * PLOT;
      const title = `${escape(role)} ${compact(stack.parts[role] ?? 0)} ${unit}`;
      const piece = `${rectangle(colour, { x, y: y + 2, width })}<title>${title}</title></rect>`;
      x += width;
      return piece;
    });
    const total = text(x + 6, y + 14, `${compact(totalOf(stack))} ${unit}`, "start");
    return text(LABEL - 8, y + 14, stack.label, "end") + pieces.join("") + total;
  });
  return svg(stacks.length * ROW, rows.join("\n")) + legend(roles);
}

export type Line = {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
};
export type Axis = {
  readonly title: string;
  readonly ticks: readonly [at: number, text: string][];
};

/** Values are drawn as they are: pass logarithms for a logarithmic axis, and ticks that say so. */
export function linePlot(lines: readonly Line[], xAxis: Axis, yAxis: Axis): string {
  const height = 300;
  const [left, bottom] = [70, height - 40];
  const points = lines.flatMap((line) => line.points);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const range = (values: readonly number[], axis: Axis): [number, number] => {
    const all = [...values, ...axis.ticks.map(([at]) => at)];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return high > low ? [low, high] : [low - 1, low + 1];
  };
  const [xLow, xHigh] = range(xs, xAxis);
  const [yLow, yHigh] = range(ys, yAxis);
  const x = (value: number): number =>
    left + ((value - xLow) / (xHigh - xLow)) * (WIDTH - left - 20);
  const y = (value: number): number => bottom - ((value - yLow) / (yHigh - yLow)) * (bottom - 16);
  const grid = [
    ...xAxis.ticks.map(([at, label]) => text(x(at), bottom + 16, label, "middle")),
    ...yAxis.ticks.map(
      ([at, label]) =>
        `<path class="grid" d="M${left} ${y(at).toFixed(1)}H${WIDTH - 20}"/>` +
        text(left - 6, y(at) + 4, label, "end"),
    ),
    text(left, 12, yAxis.title, "start"),
    text(WIDTH - 20, height - 6, xAxis.title, "end"),
  ];
  const drawn = lines.map(({ label, points: own }, index) => {
    const path = own.map(([a, b]) => `${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("L");
    return `<path class="line l${index}" d="M${path}"><title>${escape(label)}</title></path>`;
  });
  return svg(height, [...grid, ...drawn].join("\n")) + legend(lines.map(({ label }) => label));
}

/** Left open: a title may go inside. */
function rectangle(colour: number, at: { x: number; y: number; width: number }): string {
  const place = `x="${at.x.toFixed(1)}" y="${at.y}" width="${at.width.toFixed(1)}" height="16"`;
  return `<rect class="s${colour}" ${place}>`;
}

function svg(height: number, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">\n${content}\n</svg>`;
}

function legend(labels: readonly string[]): string {
  const items = labels.map((label, index) => `<li class="k${index}">${escape(label)}</li>`);
  return `<ul class="legend">${items.join("")}</ul>`;
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${place}>${escape(content)}</text>`;
}

export function escape(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function compact(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString("en");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
