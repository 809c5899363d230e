// Line charts as SVG, by hand: a few lines, axes with units, and colours that can be read on a
// light and on a dark page.

/** A chart. */
export interface Picture {
  /** The file's name without its ending. */
  readonly name: string;
  readonly title: string;
  /** What a person who cannot see it should know. */
  readonly alt: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

interface Axis {
  readonly label: string;
  /** Each step ten times the last. @default false: from zero */
  readonly logarithmic?: boolean;
}

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 720;
const HEIGHT = 360;
const PLOT = { left: 70, right: 700, top: 50, bottom: 290 };
/** Blue, orange and green that stand out from white and from black, also for the colour-blind. */
const COLOURS = ["#3b82f6", "#e8750a", "#15a06e", "#b05ad6"];

const STYLE = `text{font:13px sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}` +
  `.grid{stroke:#8c959f;stroke-opacity:.35}.axis{stroke:#57606a}` +
  `@media(prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#9198a1}}`;

/** The chart as an SVG document. */
export function drawPicture({ title, alt, x, y, lines }: Picture): string {
  const xs = scaleOf(x, lines.flatMap(({ points }) => points.map(([value]) => value)));
  const ys = scaleOf(y, lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const atX = (value: number) => PLOT.left + xs.share(value) * (PLOT.right - PLOT.left);
  const atY = (value: number) => PLOT.bottom - ys.share(value) * (PLOT.bottom - PLOT.top);
  const parts = [
    `<title>${escape(title)}</title><desc>${escape(alt)}</desc><style>${STYLE}</style>`,
    text(PLOT.left, 26, title, `class="title"`),
    ...ys.ticks.map((tick) =>
      segment("grid", [PLOT.left, atY(tick)], [PLOT.right, atY(tick)]) +
      text(PLOT.left - 8, atY(tick) + 4, short(tick), `text-anchor="end"`)
    ),
    ...xs.ticks.map((tick) =>
      segment("axis", [atX(tick), PLOT.bottom], [atX(tick), PLOT.bottom + 5]) +
      text(atX(tick), PLOT.bottom + 20, short(tick), `text-anchor="middle"`)
    ),
    segment("axis", [PLOT.left, PLOT.bottom], [PLOT.right, PLOT.bottom]),
    segment("axis", [PLOT.left, PLOT.top], [PLOT.left, PLOT.bottom]),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 40, x.label, `text-anchor="middle"`),
    `<text transform="translate(18 ${
      (PLOT.top + PLOT.bottom) / 2
    }) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
    ...lines.map(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      const at = points.map(([px, py]) => `${atX(px).toFixed(1)},${atY(py).toFixed(1)}`);
      const dots = at.map((point) => {
        const [cx, cy] = point.split(",");
        return `<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`;
      });
      const left = PLOT.left + index * 210;
      return `<polyline points="${
        at.join(" ")
      }" fill="none" stroke="${colour}" stroke-width="2.5"/>` +
        dots.join("") +
        `<rect x="${left}" y="${HEIGHT - 18}" width="12" height="12" fill="${colour}"/>` +
        text(left + 18, HEIGHT - 7, name);
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" ` +
    `height="${HEIGHT}" role="img">\n${parts.join("\n")}\n</svg>\n`;
}

interface Scale {
  readonly ticks: readonly number[];
  /** Where a value lies, from 0 to 1. */
  share(value: number): number;
}

function scaleOf({ logarithmic = false }: Axis, values: readonly number[]): Scale {
  const most = Math.max(...values);
  if (!logarithmic) {
    const step = niceStep(most / 4);
    const end = Math.ceil(most * 1.05 / step) * step;
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
    return { ticks, share: (value) => value / end };
  }
  const [from, to] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(most))];
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  return { ticks, share: (value) => (Math.log10(value) - from) / Math.max(1, to - from) };
}

/** 1, 2 or 5 times a power of ten, at least the value. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!;
}

function segment(
  kind: string,
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
): string {
  return `<line class="${kind}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${
    x2.toFixed(1)
  }" y2="${y2.toFixed(1)}"/>`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escape(content)}</text>`;
}

function short(value: number): string {
  return value >= 1e6
    ? `${value / 1e6}M`
    : value >= 1e4
    ? `${value / 1e3}k`
    : String(+value.toFixed(3));
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
