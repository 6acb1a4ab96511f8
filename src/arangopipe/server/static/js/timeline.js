// Who was live when: a lane for each tag, a bar that is a link for each deployment.
import { element, enhance, here } from "./dom.js";
import { day, marks } from "./times.js";

const TOLD_APART = 8;
const WIDE = 90;

class Timeline {
  constructor(box, plot) {
    this.box = box;
    this.plot = plot;
    const times = [...plot.bars.flatMap((bar) => [bar.from, bar.to]), ...(plot.asked ?? []), plot.now].map((time) => Date.parse(time));
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const room = (last - first) * 0.02 || 43_200_000;
    this.from = first - room;
    this.to = last + room;
  }

  share(time) {
    return `${(100 * (Date.parse(time) - this.from)) / (this.to - this.from)}%`;
  }

  draw() {
    const { lanes, bars, words } = this.plot;
    const chart = element("div", { className: "timeline" }, this.plane());
    chart.setAttribute("role", "group");
    chart.setAttribute("aria-label", words.split(":")[0]);
    for (const [place, tag] of lanes.entries()) {
      const track = element("div", { className: "track" }, ...bars.filter((bar) => bar.lane === place).map((bar) => this.bar(bar)));
      const lane = element("div", { className: "lane" }, this.tag(tag), track);
      chart.append(lane);
    }
    this.axis = element("div", { className: "axis" });
    chart.append(this.axis);
    this.said = element("p", { className: "small told", ariaLive: "polite" });
    this.box.replaceChildren(this.legend(), chart, this.said);
    this.mark();
    new ResizeObserver(() => this.mark()).observe(chart);
    chart.addEventListener("click", (event) => this.clicked(event));
    for (const type of ["focusin", "pointerover"]) chart.addEventListener(type, ({ target }) => this.tell(target.closest(".bar")));
  }

  tag(name) {
    if (!name) return element("span");
    const to = new URL(location.href);
    to.searchParams.set("tag", name);
    to.searchParams.delete("cursor");
    return element("a", { className: "tag", href: to.pathname + to.search, textContent: name, title: `Only ${name}` });
  }

  bar(bar) {
    const model = this.plot.models.indexOf(bar.model) % TOLD_APART;
    const made = element("a", { className: `bar ${bar.status}`, href: here(`/entity/${bar.id}`) }, element("span", {}, bar.status === "scheduled" ? "" : bar.name));
    const when = bar.status === "scheduled" ? `from ${day(bar.from)}` : `${day(bar.from)} – ${bar.open ? "now" : day(bar.to)}`;
    made.setAttribute("aria-label", [bar.tag, bar.name, bar.model && bar.model !== bar.name ? `model ${bar.model}` : "", when, bar.status].filter(Boolean).join(", "));
    made.style.setProperty("--tone", `var(--series-${model + 1})`);
    made.style.left = this.share(bar.from);
    if (bar.status !== "scheduled") made.style.width = `calc(${this.share(bar.to)} - ${this.share(bar.from)})`;
    return made;
  }

  /** Return what lies behind the bars: now, and what was asked for. */
  plane() {
    const { asked, now } = this.plot;
    const plane = element("div", { className: "plane" });
    const line = (className, time, words) => {
      const made = element("div", { className }, element("span", {}, words));
      made.style.left = this.share(time);
      return made;
    };
    if (asked && asked[0] !== asked[1]) {
      const area = line("asked area", asked[0], "asked");
      area.style.width = `calc(${this.share(asked[1])} - ${this.share(asked[0])})`;
      plane.append(area);
    } else if (asked) plane.append(line("asked", asked[0], "asked"));
    plane.append(line("now", now, "now"));
    return plane;
  }

  mark() {
    const found = marks(this.from, this.to, Math.max(2, this.axis.clientWidth / WIDE));
    this.axis.replaceChildren(...found.map(({ time, words }) => {
      const share = (time - this.from) / (this.to - this.from);
      const near = Math.min(share, 1 - share) * this.axis.clientWidth < WIDE / 3;
      const made = element("span", {}, element("i"), near ? "" : words);
      made.style.left = `${100 * share}%`;
      return made;
    }));
  }

  legend() {
    const { models } = this.plot;
    if (models.length > TOLD_APART) return element("p", { className: "small quiet" }, `${models.length} models: a colour tells neighbours apart, the bar says what served.`);
    return element("ul", { className: "legend" }, ...models.map((name, at) =>
      element("li", {}, element("span", { className: `swatch series-${at + 1}` }), name || "(no model)")));
  }

  tell(bar) {
    if (bar) this.said.textContent = bar.getAttribute("aria-label");
  }

  clicked({ target, clientX }) {
    const track = target.closest(".track");
    if (!track || target.closest("a")) return;
    const { left, width } = track.getBoundingClientRect();
    const time = this.from + ((clientX - left) / width) * (this.to - this.from);
    const to = new URL(location.href);
    to.searchParams.set("at", new Date(time).toISOString().slice(0, 10));
    location.assign(to);
  }
}

enhance("[data-timeline]", (box) => new Timeline(box, JSON.parse(box.dataset.timeline)).draw());
