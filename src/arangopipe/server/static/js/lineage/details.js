// Beside the picture of a lineage: the list of a group, or what an edge holds.
import { element, failed, html } from "../dom.js";

export class Details {
  constructor(panel, picture) {
    this.panel = panel;
    this.picture = picture;
    this.panel.addEventListener("click", (event) => {
      const [pin, page] = ["[data-pin]", "a[data-panel]"].map((selector) => event.target.closest(selector));
      if (!pin && !page) return;
      event.preventDefault();
      if (pin) this.picture.pin(pin.dataset.pin);
      else this.show(page.href);
    });
    this.panel.addEventListener("submit", (event) => {
      event.preventDefault();
      this.show(`${event.target.action}?${new URLSearchParams(new FormData(event.target))}`);
    });
  }

  async show(address) {
    this.panel.hidden = false;
    this.panel.replaceChildren(element("span", { className: "loading", textContent: "Loading …" }));
    try {
      this.fill(document.importNode((await html(address)).getElementById("part"), true));
    } catch (error) {
      failed(this.panel, error);
      this.fill(...this.panel.children);
    }
  }

  fill(...content) {
    const close = element("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => this.hide());
    for (const link of content.flatMap((each) => [...each.querySelectorAll("[data-pin]")])) {
      const word = this.picture.boxes.has(link.dataset.pin) ? "find" : "show";
      link.textContent = word;
      link.setAttribute("aria-label", link.getAttribute("aria-label").replace(/^Lineage of/, `${word} in the picture:`));
    }
    this.panel.replaceChildren(close, ...content);
    this.panel.hidden = false;
    // On a phone it stands below the picture.
    this.panel.scrollIntoView({ block: "nearest" });
  }

  hide() {
    if (this.panel.hidden) return;
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.picture.focus(this.picture.focused);
  }

  edge(key) {
    const arrow = this.picture.arrows.get(key);
    const [from, to] = [arrow.from, arrow.to].map((id) => this.picture.boxes.get(id));
    if (!from.group && !to.group && !from.redacted && !to.redacted && arrow.count) {
      const query = new URLSearchParams([["of", to.id], ["of", from.id], ...arrow.kinds.map((kind) => ["kind", kind])]);
      const moment = new URLSearchParams(location.search).get("as_of");
      if (moment) query.set("as_of", moment);
      return this.show(`/lineage/edges?${query}`);
    }
    const words = element("p", { textContent: `${to.label} ${arrow.words} ${from.label}` });
    const more = arrow.count ? `${arrow.count.toLocaleString("en")} ${arrow.count === 1 ? "edge" : "edges"} of kind ${arrow.kinds.join(", ")}. ` : "";
    const why = from.group || to.group ? "Open the group to look at one." : "";
    this.fill(element("div", { className: "card" }, element("h2", { textContent: "Between two boxes" }), words, element("p", { className: "small quiet", textContent: more + why })));
    return undefined;
  }
}
