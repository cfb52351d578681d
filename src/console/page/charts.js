// The charts of the last hour. Each says in words, below its name, what its lines show at the moment.

import { amount, brief, lasting, make } from "./parts.js";

/** So many steps are kept: those of an hour. */
const KEPT = 720;

const rate = (value) => `${amount(value)} / s`;
const share = (value) => `${amount(value)} %`;

/** Name, how a value is written, and the lines: what they are called and where their values stand. */
const CHARTS = [
  ["Requests", rate, [["answered", "answered"], ["refused", "refused"], ["failed", "failed"]]],
  [
    "Messages",
    rate,
    [["stored", "stored"], ["delivered", "delivered"], ["acknowledged", "acknowledged"]],
  ],
  ["Stale lists of devices", share, [["of all messages", "stale_percent"]]],
  ["Waiting in inboxes", amount, [["messages", "waiting"]]],
  ["Age of the oldest message", lasting, [["age", "oldest_seconds"]]],
  ["Storing a message", brief, [["half within", "storing_p50"], ["99 % within", "storing_p99"]]],
  [
    "From stored to delivered",
    brief,
    [["half within", "delivering_p50"], ["99 % within", "delivering_p99"]],
  ],
  ["Readers", amount, [["sockets", "sockets"], ["polls", "polls"]]],
];

/** Steps along an axis of times, in seconds. */
const ROUND_TIMES = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200, 864_000];

/** Dashes tell lines apart for whoever does not see their colours. */
const DASHES = [[], [8, 4], [2, 4]];

export class Charts {
  #points = [];
  #charts;

  constructor(place) {
    this.#charts = CHARTS.map(([name, write, lines]) => new Chart(place, name, write, lines));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#charts.forEach((chart) => chart.paint()));
  }

  /** The second at which the newest step ended; 0 without any. */
  last() {
    return this.newest()?.at ?? 0;
  }

  newest() {
    return this.#points.at(-1);
  }

  add(points, step) {
    if (points.length === 0 && this.#points.length > 0) return;
    this.#points = [...this.#points, ...points].slice(-KEPT);
    this.#charts.forEach((chart) => chart.show(this.#points, step));
  }
}

class Chart {
  #write;
  #lines;
  #words;
  #place;
  #plot;
  #data = [];

  constructor(place, name, write, lines) {
    [this.#write, this.#lines] = [write, lines];
    this.#words = make("p", { className: "words" });
    this.#place = make("div", { className: "plot", ariaHidden: "true" });
    place.append(make("figure", {}, make("figcaption", {}, name), this.#words, this.#place));
    new ResizeObserver(() => this.#fit()).observe(this.#place);
  }

  show(points, step) {
    const times = points.map((point) => point.at);
    const values = this.#lines.map(([, member]) => points.map((point) => point[member] ?? null));
    this.#data = [times, ...values];
    this.#say(points.at(-1), step);
    if (this.#plot) this.#plot.setData(this.#data);
    else this.paint();
  }

  /** Draws it anew, in the colours of the moment. */
  paint() {
    this.#plot?.destroy();
    const width = this.#place.clientWidth;
    this.#plot = width > 0 ? new uPlot(this.#options(width), this.#data, this.#place) : undefined;
  }

  #fit() {
    const width = this.#place.clientWidth;
    if (width === 0 || this.#data.length === 0) return;
    if (this.#plot) this.#plot.setSize({ width, height: this.#place.clientHeight });
    else this.paint();
  }

  #say(point, step) {
    const words = this.#lines.map(([name, member], place) => {
      const value = point?.[member] ?? null;
      const text = value === null ? "–" : this.#write(value);
      const mark = make("span", { className: `mark line-${place}` });
      return make("span", {}, mark, `${name} `, make("b", {}, text));
    });
    this.#words.title = `In the last ${step} seconds`;
    this.#words.replaceChildren(...words);
  }

  #options(width) {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: color("--faint"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: color("--line"), width: 1 },
      ticks: { stroke: color("--line"), width: 1 },
    };
    const series = this.#lines.map(([label], place) => ({
      label,
      stroke: color(`--line-${place}`),
      dash: DASHES[place],
      width: 2,
      // Where there were no messages there is no time that they took, nor a share of them.
      spanGaps: true,
    }));
    const values = (_, splits) => splits.map((value) => short(value, this.#write));
    const steps = this.#write === lasting ? { incrs: ROUND_TIMES } : {};
    return {
      width,
      height: this.#place.clientHeight,
      legend: { show: false },
      cursor: { sync: { key: "console" }, drag: { x: false, y: false } },
      scales: {
        // At least five minutes, so that the first steps do not fill all of it.
        x: { range: (_, least, most) => [Math.min(least, most - 300), most] },
        y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] },
      },
      axes: [{ ...axis, size: 34, values: clock }, { ...axis, size: 76, values, ...steps }],
      series: [{}, ...series],
    };
  }
}

/** Times below an axis. */
function clock(_, splits) {
  const isShort = splits.length > 1 && splits[1] - splits[0] < 60;
  const format = { hour: "2-digit", minute: "2-digit", ...(isShort && { second: "2-digit" }) };
  const times = new Intl.DateTimeFormat(undefined, format);
  return splits.map((seconds) => times.format(new Date(seconds * 1000)));
}

/** A value beside an axis. */
function short(value, write) {
  if (value === null) return "";
  if (write === rate) return amount(value);
  return write === brief && value < 1000 ? `${amount(value)} ms` : write(value);
}
