// Pan and zoom of a picture: mouse, wheel, touch with one finger or two.

const MOVED = 4;
const [LEAST, GREATEST] = [0.08, 3];

/** Let `view` in `svg` be moved about; returns what moves it by program. */
export function movable(svg, view) {
  const at = { x: 0, y: 0, k: 1 };
  const pointers = new Map();
  let dragged = false;

  function show() {
    view.setAttribute("transform", `translate(${at.x},${at.y}) scale(${at.k})`);
  }

  function zoom(by, x = svg.clientWidth / 2, y = svg.clientHeight / 2) {
    const k = Math.min(GREATEST, Math.max(LEAST, at.k * by));
    at.x = x - ((x - at.x) * k) / at.k;
    at.y = y - ((y - at.y) * k) / at.k;
    at.k = k;
    show();
  }

  /** Return how far to shift so that a length is in the middle; one that does not fit leaves no room unused. */
  function shift(room, start, length, middle = start + length / 2) {
    if (length * at.k <= room) return room / 2 - (start + length / 2) * at.k;
    return Math.min(-start * at.k, Math.max(room - (start + length) * at.k, room / 2 - middle * at.k));
  }

  function inside(event) {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015) * (event.ctrlKey ? 4 : 1)), ...inside(event));
  }, { passive: false });

  svg.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, inside(event));
    if (pointers.size === 1) dragged = false;
  });
  window.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = inside(event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (!dragged && Math.hypot(now[0] - before[0], now[1] - before[1]) < MOVED) return;
    dragged = true;
    svg.classList.add("panning");
    if (others.length) {
      const [other] = others;
      const far = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      zoom(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else {
      at.x += now[0] - before[0];
      at.y += now[1] - before[1];
      show();
    }
    pointers.set(event.pointerId, now);
  });
  const lift = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) svg.classList.remove("panning");
  };
  window.addEventListener("pointerup", lift);
  window.addEventListener("pointercancel", lift);
  // What was dragged is not clicked, and links do not fly off.
  svg.addEventListener("click", (event) => {
    if (!dragged) return;
    dragged = false;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());

  return {
    zoom,
    /** Show a rectangle; not smaller than `least`, then what of it is around a place. */
    fit(frame, least = LEAST, around = null) {
      at.k = Math.max(Math.min(svg.clientWidth / frame.width, svg.clientHeight / frame.height, 1), least);
      at.x = shift(svg.clientWidth, frame.left, frame.width, around?.x);
      at.y = shift(svg.clientHeight, frame.top, frame.height, around?.y);
      show();
    },
    /** Move as little as needed to have a place in sight. */
    reveal({ x, y }, wide, high) {
      const [px, py] = [x * at.k + at.x, y * at.k + at.y];
      const [mx, my] = [(wide / 2) * at.k + 8, (high / 2) * at.k + 8];
      at.x += Math.max(0, mx - px) - Math.max(0, px - (svg.clientWidth - mx));
      at.y += Math.max(0, my - py) - Math.max(0, py - (svg.clientHeight - my));
      show();
    },
    get scale() { return at.k; },
  };
}
